"""A fourth lesson: what the sentence does not count goes, what it counts and is hardly there comes.

After three lessons a failed clip of two things mostly showed one of them twice, with or without the other: on its way
from noise several places held a copy, and more than one was kept. No noised clip of training looks like that, for its
things are all there and none is there twice. So some clips are noised from a mixture of their scene and of another: the
same things in other places, all of them fainter; or the scene with a copy too many, or with one of two things missing.
How much of which is thrown anew every time, so the fainter of two copies is the one to go. The answer stays the scene
of the sentence.
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from cogkit.world.scene import Scene, Thing, elsewhere

# Train timesteps. Above them a thing is lost in the noise; below, everything is where it will stay.
FROM, UNTIL = 200, 850
SHARE = 0.5  # of all clips; those whose timestep and sentence fit are miscounted
ELSEWHERE = 0.4  # of the miscounted: everything in two places
MISSING = 0.2  # of two-thing scenes: a thing too few


def miscounted(scene: Scene, seed: int) -> Scene:
    """The same things in other places; or with one or two copies of them behind them; or, of two, one of them alone.
    Where there is no room for another thing the scene stays as it is."""
    dice = np.random.default_rng((seed, 2))
    things, way = scene.things, dice.random()
    if way < ELSEWHERE:
        return replace(scene, things=_moved(things, dice))
    if len(things) == 2 and way < ELSEWHERE + MISSING:
        return replace(scene, things=(things[dice.integers(2)],))
    for _ in range(dice.integers(1, 3)):
        copy = elsewhere(scene.things[dice.integers(len(scene.things))], things, dice)
        things = ((copy,) if copy else ()) + things
    return replace(scene, things=things)


def weights(
    scenes: list[Scene],
    others: list[Scene],
    named: list[tuple[Thing, ...]],
    train_timestep: Int[Tensor, "b"],
    dice: np.random.Generator,
) -> Float[Tensor, "b"]:
    """How much of the miscounted scene each clip is to be noised from, less than half if all its things are elsewhere:
    0 where the sentence does not name every thing, or where its timestep is not one of doubt."""
    drawn = dice.random(len(scenes))
    drawn *= [
        1.0 if set(scene.things) & set(other.things) else 0.5 for scene, other in zip(scenes, others, strict=True)
    ]
    fit = [
        len(told) == len(scene.things) and FROM <= t < UNTIL
        for scene, told, t in zip(scenes, named, train_timestep.tolist(), strict=True)
    ]
    return torch.from_numpy(drawn * np.array(fit)).float()


def _moved(things: tuple[Thing, ...], dice: np.random.Generator) -> tuple[Thing, ...]:
    """All of them, or none: what stayed would be stronger in its two places than the rest in the sentence's."""
    moved: tuple[Thing, ...] = ()
    for thing in things:
        copy = elsewhere(thing, moved, dice)
        if copy is None:
            return things
        moved += (copy,)
    return moved
