"""Is the map only right, or does it matter? Take the word away where the map is high, and see what changes there.

The word's columns are knocked out of the attention of some video queries alone, in all layers of one forward: exactly
what masking them would do. The change is that of the predicted-clean latents, within the region that was cut off. It is
compared with the change in random regions of the same size and shape, each cut off in its turn.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float

from cogkit.localisation.noised import showing
from cogkit.recording.layout import Layout
from cogkit.recording.pattern import ColumnEdit
from cogkit.recording.record import record
from cogkit.recording.selectors import trajectory
from cogkit.recording.taps import visiting
from cogkit.recording.visitor import Visitor
from cogkit.shapes import PATCH, Latents

Region = Bool[np.ndarray, "t y x"]


class Cut(Visitor):
    """Batch row k + 1 does not see the word from the tokens of `regions[k]`; row 0 is left as it is."""

    edits = True
    kinds = frozenset({"attn.pattern"})

    def __init__(self, word: str, regions: list[Region]):
        self.word, self.regions = word, regions

    def begin(self, layout: Layout) -> None:
        columns = tuple(layout.prompts[0].slots(self.word))
        self.found = [
            ColumnEdit(columns, 0.0, (row,), queries=tuple((np.flatnonzero(region) + layout.text).tolist()))
            for row, region in enumerate(self.regions, 1)
        ]

    def wants(self, kind: str, layer: int | None, step: int) -> bool:
        return kind == "attn.pattern"

    def visit(self, kind: str, layer: int | None, value, step: int) -> list[ColumnEdit]:
        return self.found


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
    """Score one map of `word` on what the sampler holds at one timestep: a single forward of 3 + `regions` rows.

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
    rows = len(regions) + 1
    with (
        showing(pipe, [latents.expand(rows, -1, -1, -1, -1)], [train_timestep]) as call,
        visiting(pipe, Cut(word, regions)),
        record(pipe, trajectory(latents=False)) as rec,
    ):
        call([prompt] * rows)
    x0 = torch.from_numpy(rec.run["x0"].isel(step=0).values)  # row, latent frame, channel, y, x
    squares = (x0[1:] - x0[:1]).square().mean(2)
    return torch.nn.functional.avg_pool2d(squares, PATCH).sqrt().numpy()


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
