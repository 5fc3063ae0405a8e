"""Is the map only right, or does it matter? Take the word away where the map is high, and see what changes there.

The word's columns are knocked out of the attention of some video queries alone, in all layers of one forward: exactly
what masking them would do. The change is that of the predicted-clean latents, within the region that was cut off. It is
compared with the change in random regions of the same size and shape, each cut off in its turn.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float

from cogkit.interventions.columns import knock_out
from cogkit.interventions.intervene import intervene
from cogkit.interventions.regions import region as where
from cogkit.localisation.noised import showing
from cogkit.recording.record import record
from cogkit.recording.selectors import trajectory
from cogkit.shapes import PATCH, Latents

Region = Bool[np.ndarray, "t y x"]


class Faithfulness(NamedTuple):
    highlighted: float  # root mean square change of x0 where the map is high, the word knocked out there
    random: tuple[float, ...]  # the same in each random region
    true: float  # the same in the object's own region

    @property
    def ratio(self) -> float:
        """How many times more the highlighted region changes than a random one."""
        return self.highlighted / max(float(np.mean(self.random)), 1e-12)


def faithfulness(
    pipe, prompt: str, word: str, latents: Latents, train_timestep: int, word_map, region: Region, regions=3, seed=0
) -> Faithfulness:
    """Score one map of `word` on what the sampler holds at one timestep, in 3 + `regions` forwards.

    The highlighted region has as many tokens as the object's own `region`; random ones are the highlighted one moved
    around the frame, in space alone.
    """
    bright = highlighted(np.asarray(word_map), int(region.sum()))
    cuts = [bright, region, *moved(bright, regions, seed)]
    changed = changes(pipe, prompt, word, latents, train_timestep, cuts)
    first, true, *others = (float(np.sqrt((found[cut] ** 2).mean())) for found, cut in zip(changed, cuts, strict=True))
    return Faithfulness(first, tuple(others), true)


def changes(
    pipe, prompt: str, word: str, latents: Latents, train_timestep: int, regions: list[Region]
) -> Float[np.ndarray, "cut t y x"]:
    """How far x0 moves at every token when `word` is knocked out for the queries of each region in turn."""

    def x0(*edits) -> Float[torch.Tensor, "latent_frame channel y x"]:
        with (
            showing(pipe, [latents], [train_timestep]) as call,
            intervene(pipe, *edits),
            record(pipe, trajectory(latents=False)) as rec,
        ):
            call(prompt)
        return torch.from_numpy(rec.run["x0"].isel(step=0).values)

    whole = x0()
    cut = torch.stack([x0(knock_out(word, queries=where(mask=mask))) for mask in regions])
    return torch.nn.functional.avg_pool2d((cut - whole).square().mean(2), PATCH).sqrt().numpy()


def highlighted(word_map: Float[np.ndarray, "t y x"], tokens: int) -> Region:
    """The `tokens` highest values of the map."""
    found = np.zeros(word_map.size, bool)
    found[np.argsort(-word_map, axis=None, kind="stable")[:tokens]] = True
    return found.reshape(word_map.shape)


def moved(region: Region, count: int, seed: int) -> list[Region]:
    """`count` copies of the region, each moved by a random shift along y and x, around the edges."""
    _, height, width = region.shape
    shifts = np.random.default_rng(seed).permutation(np.arange(1, height * width))[:count]
    return [np.roll(region, (int(s) // width, int(s) % width), (1, 2)) for s in shifts]
