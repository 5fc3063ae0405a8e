"""A third lesson: the picture lies, the sentence does not.

In training a sentence and its noised clip always agree, so a model may read what a thing is off the clip, helped by
what its colour is usually seen with, and forget the sentence. A pair that it never met is then drawn as a near miss,
and which of two things the sentence calls a star does not matter. So some clips are noised from another scene: in other
shapes, and of two things often each in the other's shape or in the other's colour. The answer stays the scene of the
sentence. Where the clip is right nothing changes: the sentence says the same.
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cogkit.shapes import Latents
from cogkit.world.captions import said_of
from cogkit.world.scene import Scene, Thing, is_allowed
from cogkit.world.vocabulary import SHAPES

# Train timesteps. Above them there is nothing to see; below, what is wrong is too plain to be denied.
UNTIL = 950
FROM = {"shape": 400, "colour": 700}
# Of the clips between them whose sentence says what is denied. Were it more, what two things seem to be would tell that
# they are not, and the sentence could be left unread again.
SHARE = 0.5


def lie(scene: Scene, seed: int, moving: bool) -> Scene:
    """Of two things, the scene in which they have exchanged their shapes, or if `moving` perhaps their colours; of one
    thing, or if that would show a pair that is held out, the scene with other shapes."""
    dice = np.random.default_rng((seed, 1))
    ways = []
    if len(scene.things) == 2:
        ways = [
            _exchanged(scene.things, what) for what in dice.permutation(["shape", "colour"] if moving else ["shape"])
        ]
    ways.append(_in_other_shapes(scene.things, dice))
    return replace(scene, things=next(way for way in ways if way != scene.things and all(map(is_allowed, way))))


def denied(scene: Scene, other: Scene) -> str:
    """What differs: "colour" or "shape"."""
    return "colour" if [t.colour for t in scene.things] != [t.colour for t in other.things] else "shape"


def contradicted(
    scenes: list[Scene],
    others: list[Scene],
    prompts: list[str],
    train_timestep: Int[Tensor, "b"],
    dice: np.random.Generator,
) -> Bool[Tensor, "b"]:
    """Which clips are to show the other scene instead of the one their sentence tells."""
    chosen = dice.random(len(scenes)) < SHARE
    fit = [
        _told(scene, prompt, what := denied(scene, other)) and FROM[what] <= t < UNTIL
        for scene, other, prompt, t in zip(scenes, others, prompts, train_timestep.tolist(), strict=True)
    ]
    return torch.from_numpy(chosen & np.array(fit))


def answer(
    noised: Latents, x0: Latents, train_timestep: Int[Tensor, "b"], alpha_bars: Float[Tensor, "1000"]
) -> Latents:
    """The v that leads to x0 from `noised`, whatever that was made of. For t > 0."""
    alpha_bar = alpha_bars.to(x0.dtype)[train_timestep].view(-1, 1, 1, 1, 1)
    return (alpha_bar.sqrt() * noised - x0) / (1 - alpha_bar).sqrt()


def _told(scene: Scene, prompt: str, what: str) -> bool:
    """Whether the sentence says of every thing what the clip denies, and of which of two things it says so."""
    said = [said_of(thing, prompt) for thing in scene.things]
    if what == "colour":
        return all({"colour", "shape", "motion"} <= each for each in said)
    return all("shape" in each for each in said) and (len(said) == 1 or any("colour" in each for each in said))


def _in_other_shapes(things: tuple[Thing, ...], dice: np.random.Generator) -> tuple[Thing, ...]:
    reshaped = []
    for thing in things:
        others = [shape for shape in SHAPES if shape != thing.shape and is_allowed(replace(thing, shape=shape))]
        reshaped.append(replace(thing, shape=str(dice.choice(others))))
    return tuple(reshaped)


def _exchanged(things: tuple[Thing, ...], what: str) -> tuple[Thing, ...]:
    return tuple(replace(a, **{what: getattr(b, what)}) for a, b in zip(things, things[::-1], strict=True))
