"""Moving shapes: a world small enough that everything about a clip is known, and so everything can be measured."""
