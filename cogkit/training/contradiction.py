"""A third lesson: the picture lies about the shape, the sentence does not.

In training a sentence and its noised clip always agree, so a model may read the shape off the clip, helped by what its
colour is usually seen with, and forget the sentence; for a pair that it never met this makes a near miss out of a good
start. So some clips are noised from the same scene in other shapes, while the answer stays the scene of the sentence.
Where the clip is right nothing changes: the sentence says the same.
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cogkit.shapes import Latents
from cogkit.training.diffusion import Noised
from cogkit.world.paint import nearest_name, rgb
from cogkit.world.scene import Scene, allowed_pairs

FROM, UNTIL = 400, 950  # train timesteps: below, shapes are too plain to be denied; above, there is nothing to see
SHARE = 0.5  # of the clips between them whose sentence names all shapes


def reshaped(scene: Scene, seed: int) -> Scene:
    """The scene with every thing in another shape, of those that its colour may have in training."""
    dice = np.random.default_rng((seed, 1))
    allowed = allowed_pairs("training")
    things = []
    for thing in scene.things:
        name = nearest_name(rgb(thing.colour))
        others = [shape for colour, shape in allowed if colour == name and shape != thing.shape]
        things.append(replace(thing, shape=str(dice.choice(others))))
    return replace(scene, things=tuple(things))


def contradicted(
    scenes: list[Scene], prompts: list[str], train_timestep: Int[Tensor, "b"], dice: np.random.Generator
) -> Bool[Tensor, "b"]:
    """Which clips are to show other shapes than their sentences say."""
    chosen = torch.from_numpy(dice.random(len(scenes)) < SHARE)
    told = [
        all(thing.shape in prompt.split() for thing in scene.things)
        for scene, prompt in zip(scenes, prompts, strict=True)
    ]
    return chosen & torch.tensor(told) & (train_timestep >= FROM) & (train_timestep < UNTIL)


def answer(noised: Latents, x0: Latents, train_timestep: Int[Tensor, "b"], alpha_bars: Float[Tensor, "1000"]) -> Noised:
    """`noised`, whatever it was made of, and the v that leads from there to x0. For t > 0."""
    alpha_bar = alpha_bars.to(x0.dtype)[train_timestep].view(-1, 1, 1, 1, 1)
    return Noised(noised, (alpha_bar.sqrt() * noised - x0) / (1 - alpha_bar).sqrt())
