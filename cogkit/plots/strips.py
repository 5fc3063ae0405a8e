"""Rows of small pictures, one column a frame or a step: what most plots here are made of."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Num, UInt8
from matplotlib.axes import Axes

from cogkit.plots.figure import AMOUNT, WIDTH, Picture, PlotError
from cogkit.shapes import TEMPORAL, latent_frames

Clip = UInt8[np.ndarray, "F H W 3"]
LABELS = 1.25  # inches, for the rows' names at the left
GAP = 0.04  # of a column, between two pictures


class Row(NamedTuple):
    """Pictures (H, W, 3), or numbers (H, W) that are coloured from `low` to `high`; `titles` stand above them."""

    label: str
    cells: Sequence[np.ndarray]
    cmap: str = AMOUNT
    low: float | None = None
    high: float | None = None
    titles: Sequence[str] = ()


def strips(rows: Sequence[Row], extra: float = 0.6, largest: float = 1.6) -> tuple[Picture, list[Axes]]:
    """Draw the rows, one axes each, the picture of column k from x = k on. `extra`: inches for title and colour bar.

    `largest`: inches of a picture at the most.
    """
    columns = max(len(row.cells) for row in rows)
    cell = min((WIDTH - LABELS) / columns, largest)
    shapes = [row.cells[0].shape[0] / row.cells[0].shape[1] for row in rows]
    tall = sum(cell * shape + (0.27 if row.titles else 0.07) for shape, row in zip(shapes, rows, strict=True))
    figure = Picture(figsize=(max(LABELS + cell * columns, 5), tall + extra))
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.035, hspace=0)
    grid = figure.subplots(len(rows), 1, squeeze=False, height_ratios=shapes)[:, 0]
    for axes, row, shape in zip(grid, rows, shapes, strict=True):
        for k, image in enumerate(row.cells):
            smooth = "auto" if image.ndim == 3 and image.shape[0] > 32 else "nearest"  # patches stay patches
            extent = (k, k + 1 - GAP, shape * (1 - GAP), 0)
            axes.imshow(image, row.cmap, vmin=row.low, vmax=row.high, interpolation=smooth, extent=extent)
        axes.set(xlim=(0, columns - GAP), ylim=(shape * (1 - GAP), 0), yticks=[])
        axes.set_xticks(np.arange(len(row.titles)) + (1 - GAP) / 2, row.titles, fontsize=10)
        axes.set_anchor("W")  # else the layout leaves no room for the labels
        axes.tick_params(length=0, pad=2, labeltop=True, labelbottom=False)
        axes.spines[:].set_visible(False)
        axes.set_ylabel(row.label, rotation=0, ha="right", va="center", fontsize=10)
    return figure, list(grid)


def even(count: int, most: int) -> list[int]:
    """At most `most` of `count` places, evenly spread, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int)).tolist()


def spans(frames: int, count: int) -> list[range]:
    """Which pixel frames each of `count` latent frames stands for: frame 0 alone, then four each.

    Where patches fold latent frames together (CogVideoX 1.5), as many times four. The pipeline pads in front to fill
    the first fold, and drops that before the decoder: counting is from the end. What is all padding stands at frame 0.
    """
    length = TEMPORAL * -(-latent_frames(frames) // count)
    ends = [frames - length * after for after in reversed(range(count))]
    return [range(max(0, end - length), max(1, end)) for end in ends]


def span_name(span: range) -> str:
    return f"frame {span[0]}" if len(span) == 1 else f"frames {span[0]}-{span[-1]}"


def middle(span: range) -> int:
    return span[len(span) // 2]


def as_clip(clip, name: str = "the clip") -> Clip:
    """Frames as 8-bit colours, from uint8, numbers from 0 to 1, or a list of PIL images, as pipelines return."""
    found = np.stack([np.asarray(frame) for frame in clip])
    if found.ndim != 4 or found.shape[-1] != 3:
        raise PlotError(f"{name} has shape {found.shape}; frames are (frame, height, width, 3)")
    if found.dtype != np.uint8:
        if found.min() < 0 or found.max() > 1:
            raise PlotError(
                f"{name} goes from {found.min():.3g} to {found.max():.3g}; give uint8, or numbers from 0 to 1"
            )
        found = (found * 255).round().astype(np.uint8)
    return found


def grown(image: Num[np.ndarray, "h w *c"], height: int, width: int) -> Num[np.ndarray, "H W *c"]:
    """Every pixel repeated until the picture has that size: patches stay patches."""
    rows, columns = (np.arange(to) * of // to for to, of in zip((height, width), image.shape, strict=False))
    return image[rows][:, columns]
