"""A scene as data, and the dice that throw one: the same seed always gives the same scene."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from cogkit.world.paint import mix_paint, nearest_name, rgb, spoken
from cogkit.world.vocabulary import BACKGROUNDS, COLOURS, HELD_OUT_PAIRS, MOTIONS, RADII, SHAPES

DURATION = 2.0  # seconds in which every object stays inside the frame: 17 frames at 8 fps
MARGIN = 0.02
Pairs = Literal["training", "held out", "all"]


@dataclass(frozen=True)
class Thing:
    """One object. Positions and radii are shares of the frame's side; (0, 0) is the top left corner."""

    colour: str  # a name of the palette, or a paint (paint.py)
    shape: str
    size: str
    motion: str
    x: float  # centre at time 0
    y: float
    radius: float  # at time 0

    def at(self, seconds):
        """Centre x, centre y and radius at a time (a number or an array of them)."""
        motion = MOTIONS[self.motion]
        return (
            self.x + motion.vx * seconds,
            self.y + motion.vy * seconds,
            np.maximum(self.radius + motion.growth * seconds, 0.02),
        )


@dataclass(frozen=True)
class Scene:
    things: tuple[Thing, ...]
    background: str


def sample_scene(
    seed: int | tuple[int, ...],
    things: int | None = None,
    pairs: Pairs = "training",
    two: float = 1 / 3,
    painted: float = 0.0,
) -> Scene:
    """Throw a scene. Two things (in the share `two` of scenes, unless `things` says) never touch nor share a colour.

    `pairs` says which colour-shape pairs may appear: those of training, only the held-out ones, or all. `painted` is
    the share of things whose colour is none of the palette's.
    """
    dice = np.random.default_rng(seed)
    count = things or (2 if dice.random() < two else 1)
    background = str(dice.choice(BACKGROUNDS))
    while True:
        thrown = tuple(_sample_thing(dice, pairs) for _ in range(count))
        if painted:
            thrown = tuple(_repaint(thing, dice, painted) for thing in thrown)
        if len({spoken(thing.colour) for thing in thrown}) == count and not _touch(thrown):
            return Scene(thrown, background)


def throw_thing(dice: np.random.Generator, pairs: Pairs = "training", painted: float = 0.0) -> Thing:
    """One thing alone, wherever there is room for it."""
    return _repaint(_sample_thing(dice, pairs), dice, painted)


def elsewhere(thing: Thing, others: tuple[Thing, ...], dice: np.random.Generator) -> Thing | None:
    """A copy of a thing in another place that is at most a little behind the others, smaller if it must be; None if
    even half of its size finds no room."""
    radius = thing.radius
    while radius > thing.radius / 2:
        copy = _somewhere(replace(thing, radius=radius), dice)
        if not any(_touch((copy, other), reach=0.7) for other in others):
            return copy
        radius *= 0.98
    return None


def allowed_pairs(pairs: str) -> list[tuple[str, str]]:
    """The colour-shape pairs that a scene may show, in a fixed order."""
    every = [(colour, shape) for colour in COLOURS for shape in SHAPES]
    if pairs == "all":
        return every
    if pairs not in ("training", "held out"):
        raise ValueError(f"pairs={pairs!r} is not known; choose 'training', 'held out' or 'all'")
    return [pair for pair in every if (pair in HELD_OUT_PAIRS) == (pairs == "held out")]


def is_allowed(thing: Thing, pairs: Pairs = "training") -> bool:
    """Whether its colour, or of a paint the nearest one, may be seen with its shape."""
    return (nearest_name(rgb(thing.colour)), thing.shape) in allowed_pairs(pairs)


def exchangeable(things: tuple[Thing, ...]) -> bool:
    """Whether two things may have each other's shape: then what may be seen does not tell which of them has which."""
    return all(is_allowed(replace(a, shape=b.shape)) for a, b in zip(things, things[::-1], strict=True))


def _sample_thing(dice: np.random.Generator, pairs: Pairs) -> Thing:
    choices = allowed_pairs(pairs)
    colour, shape = choices[dice.integers(len(choices))]
    size = str(dice.choice(list(RADII)))
    name = str(dice.choice(list(MOTIONS)))
    motion = MOTIONS[name]
    radius = RADII[size] * dice.uniform(0.92, 1.08)
    if motion.growth:
        # Growing things start small and shrinking things start large, whatever the throw was.
        radius = dice.uniform(0.11, 0.13) if motion.growth > 0 else dice.uniform(0.21, 0.23)
        size = "small" if motion.growth > 0 else "large"
    return _somewhere(Thing(colour, shape, size, name, 0.0, 0.0, float(radius)), dice)


def _somewhere(thing: Thing, dice: np.random.Generator) -> Thing:
    """The thing at a start from which it stays inside the frame."""
    motion = MOTIONS[thing.motion]
    widest = 1.1 * max(thing.radius, thing.radius + motion.growth * DURATION) + MARGIN
    x = _start(dice, widest, motion.vx * DURATION)
    y = _start(dice, widest, motion.vy * DURATION)
    return replace(thing, x=x, y=y)


def _repaint(thing: Thing, dice: np.random.Generator, share: float) -> Thing:
    return replace(thing, colour=mix_paint(dice, thing.shape)) if dice.random() < share else thing


def _start(dice: np.random.Generator, widest: float, travel: float) -> float:
    """A start from which a thing of half-width `widest` can travel without leaving the frame."""
    return float(dice.uniform(widest - min(travel, 0), 1 - widest - max(travel, 0)))


def _touch(things: tuple[Thing, ...], reach: float = 1.0) -> bool:
    if len(things) < 2:
        return False
    seconds = np.linspace(0, DURATION, 17)
    (xa, ya, ra), (xb, yb, rb) = (thing.at(seconds) for thing in things)
    return bool((np.hypot(xa - xb, ya - yb) < reach * (ra + rb) + MARGIN).any())
