"""Scene -> sentence. One meaning has many phrasings; a person can write against the same small grammar.

    caption    = things "on a" BACKGROUND "background"
    things     = thing | thing "and" thing
    thing      = "a" [SIZE] [COLOUR] SHAPE movement
    movement   = "moving right" | "moves up and to the left" | "standing still" | "growing" | ...

Every part but the shape may be left out; what is not said is free.
"""

import numpy as np

from cogkit.world.judge import Reading
from cogkit.world.paint import is_paint, spoken
from cogkit.world.scene import Scene, Thing

VERBS = ("moving", "moves", "moving", "sliding", "slides", "drifting", "drifts", "going", "goes", "traveling")

DIRECTIONS = {
    "right": ("right", "to the right", "rightward"),
    "left": ("left", "to the left", "leftward"),
    "up": ("up", "upward", "to the top"),
    "down": ("down", "downward", "to the bottom"),
    "up-right": ("up and right", "up and to the right", "diagonally up and right", "to the upper right"),
    "up-left": ("up and left", "up and to the left", "diagonally up and left", "to the upper left"),
    "down-right": ("down and right", "down and to the right", "diagonally down and right", "to the lower right"),
    "down-left": ("down and left", "down and to the left", "diagonally down and left", "to the lower left"),
}
WITHOUT_DIRECTION = {
    "still": ("standing still", "stays still", "not moving", "that does not move", "at rest"),
    "grow": ("growing", "grows", "getting bigger", "gets bigger", "getting larger", "becoming larger"),
    "shrink": ("shrinking", "shrinks", "getting smaller", "gets smaller", "becoming smaller"),
}
SPELLINGS = {"gray": ("gray", "gray", "grey"), "purple": ("purple", "purple", "violet")}
BEHIND = ("on", "on", "on", "over", "against", "in front of")
OPENINGS = ("", "", "", "a video of ", "there is ", "we see ")
UNSAID = 1 / 6  # of paints stay nameless, so that a prompt without a colour means any


def canonical(scene: Scene, still_frame: bool = False) -> str:
    """The plainest sentence for a scene: everything said once, nothing left out."""
    things = " and ".join(
        f"{article(spoken(thing.colour))} {spoken(thing.colour)} {thing.shape}"
        + ("" if still_frame else f" {_plain_movement(thing.motion)}")
        for thing in scene.things
    )
    return f"{things} on {article(scene.background)} {scene.background} background"


def told(reading: Reading) -> str:
    """What the judge saw, as the plainest sentence for it."""
    things = [
        f"{article(thing.colour)} {thing.colour} {thing.shape}"
        + (f" {_plain_movement(thing.motion)}" if thing.motion else "")
        for thing in reading.things
    ]
    return f"{' and '.join(things) or 'nothing'} on {article(reading.background)} {reading.background} background"


def caption(scene: Scene, seed: int | tuple[int, ...], still_frame: bool = False) -> str:
    """One phrasing out of many, chosen by `seed`; a single picture (`still_frame`) says nothing about movement.

    One caption in twelve leaves the background out, one in twelve the movement: what is not said is free.
    """
    return phrased(scene, seed, still_frame)[0]


def phrased(scene: Scene, seed: int | tuple[int, ...], still_frame: bool = False) -> tuple[str, tuple[Thing, ...]]:
    """A caption, and the things in the order in which it names them."""
    dice = np.random.default_rng(seed)
    silent = still_frame or dice.random() < 1 / 12
    things = list(scene.things)
    if dice.random() < 0.5:
        things.reverse()
    said = " and ".join(_describe(thing, dice, silent) for thing in things)
    if dice.random() < 1 / 12:
        return said, tuple(things)
    name = _pick(dice, SPELLINGS.get(scene.background, (scene.background,)))
    backdrop = f"{_pick(dice, BEHIND)} {article(name)} {name} background"
    if dice.random() < 0.1:
        return f"{backdrop}, {said}", tuple(things)
    return f"{_pick(dice, OPENINGS)}{said} {backdrop}", tuple(things)


def said_of(thing: Thing, sentence: str) -> set[str]:
    """Which of "shape", "colour" and "motion" a sentence of this grammar says of this thing."""
    words, name = sentence.split(), spoken(thing.colour)
    movement = DIRECTIONS.get(thing.motion) or WITHOUT_DIRECTION[thing.motion]
    told = {
        "shape": thing.shape in words,
        "colour": any(name in words for name in SPELLINGS.get(name, (name,))),
        "motion": any(f" {phrase} " in f" {sentence} ".replace(",", " ") for phrase in movement),
    }
    return {what for what, yes in told.items() if yes}


def every_word() -> list[str]:
    """All words the grammar can say, sorted: what the tokenizer must know."""
    from cogkit.world.vocabulary import BACKGROUNDS, COLOURS, IN_BETWEEN, RADII, SHAPES

    phrases = [
        *COLOURS,
        *IN_BETWEEN,
        *SHAPES,
        *RADII,
        *BACKGROUNDS,
        *VERBS,
        *BEHIND,
        *OPENINGS,
        "a an the and background big little",
    ]
    for table in (DIRECTIONS, WITHOUT_DIRECTION, SPELLINGS):
        phrases += [phrase for options in table.values() for phrase in options]
    return sorted({word for phrase in phrases for word in phrase.split()})


def article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def _plain_movement(motion: str) -> str:
    if motion in DIRECTIONS:
        return f"moving {DIRECTIONS[motion][0]}"
    return WITHOUT_DIRECTION[motion][0]


def _describe(thing: Thing, dice: np.random.Generator, silent: bool) -> str:
    name = "" if is_paint(thing.colour) and dice.random() < UNSAID else spoken(thing.colour)
    colour = _pick(dice, SPELLINGS.get(name, (name,)))
    # A growing thing has no one size; of the others a third say theirs.
    tells_size = thing.motion not in ("grow", "shrink") and dice.random() < 1 / 3
    size = _pick(dice, {"small": ("small", "little"), "large": ("large", "big")}[thing.size]) if tells_size else ""
    words = [w for w in (size, colour, thing.shape) if w]
    said = f"{article(words[0])} {' '.join(words)}"
    return said if silent else f"{said} {_movement(thing.motion, dice)}"


def _movement(motion: str, dice: np.random.Generator) -> str:
    if motion in WITHOUT_DIRECTION:
        return _pick(dice, WITHOUT_DIRECTION[motion])
    return f"{_pick(dice, VERBS)} {_pick(dice, DIRECTIONS[motion])}"


def _pick(dice: np.random.Generator, options) -> str:
    return str(options[dice.integers(len(options))])
