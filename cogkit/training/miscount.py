"""A fourth lesson: what the sentence does not count goes, what it counts and is hardly there comes.

A failed clip of two things mostly shows one of them twice, with or without the other: on its way from noise several
places held a copy, and more than one was kept. No noised clip of training looks like that, for its things are all there
and none is there twice. So some clips are noised from a mixture of their scene and of one that is miscounted: with
copies of its things in other places, or with one of two things missing. How much of which is thrown anew every time, so
the fainter of two copies is the one to go. The answer stays the scene of the sentence.
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
MISSING = 0.25  # of two-thing scenes: a thing too few instead of too many


def miscounted(scene: Scene, seed: int) -> Scene:
    """The scene with one or two copies of its things behind them, in other places, or, of two things, with one of them
    alone. Where one thing leaves no room for another it stays as it is."""
    dice = np.random.default_rng((seed, 2))
    things, too_many = scene.things, len(scene.things) == 1 or dice.random() >= MISSING
    for _ in range(dice.integers(1, 3) if too_many else 0):
        copy = elsewhere(scene.things[dice.integers(len(scene.things))], things, dice)
        things = ((copy,) if copy else ()) + things
    if things == scene.things:
        things = (things[dice.integers(len(things))],)
    return replace(scene, things=things)


def weights(
    scenes: list[Scene],
    named: list[tuple[Thing, ...]],
    train_timestep: Int[Tensor, "b"],
    dice: np.random.Generator,
) -> Float[Tensor, "b"]:
    """How much of the miscounted scene each clip is to be noised from: 0 where the sentence does not name every thing,
    or where its timestep is not one of doubt."""
    drawn = dice.random(len(scenes))
    fit = [
        len(told) == len(scene.things) and FROM <= t < UNTIL
        for scene, told, t in zip(scenes, named, train_timestep.tolist(), strict=True)
    ]
    return torch.from_numpy(drawn * np.array(fit)).float()
