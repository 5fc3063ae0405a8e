"""Look inside a running pipeline."""
