"""Rows of small pictures, one column a frame or a step: what most plots here are made of."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Num, UInt8

from cogkit.plots.figure import AMOUNT, WIDTH, Picture, PlotError
from cogkit.shapes import pixel_frames

Clip = UInt8[np.ndarray, "F H W 3"]
LABELS = 1.25  # inches, for the rows' names at the left


class Row(NamedTuple):
    """Pictures (H, W, 3), or numbers (H, W) that are coloured from `low` to `high`."""

    label: str
    cells: Sequence[np.ndarray]
    cmap: str = AMOUNT
    low: float | None = None
    high: float | None = None


def strips(rows: Sequence[Row], titles: Sequence[str], extra: float = 0.8) -> tuple[Picture, np.ndarray]:
    """Draw the rows; returns the picture and its axes (rows, columns). `extra`: inches for title and colour bar."""
    height, width = rows[0].cells[0].shape[:2]
    cell = min((WIDTH - LABELS) / len(titles), 1.6)
    heights = [cell * row.cells[0].shape[0] / row.cells[0].shape[1] for row in rows]
    figure = Picture(figsize=(max(LABELS + cell * len(titles), 5), sum(heights) + 0.06 * len(rows) + extra))
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.035, wspace=0.01, hspace=0.01)
    grid = figure.subplots(len(rows), len(titles), squeeze=False, height_ratios=heights)
    for line, row in zip(grid, rows, strict=True):
        for axes, image in zip(line, row.cells, strict=True):
            smooth = "auto" if image.ndim == 3 and image.shape[0] > 32 else "nearest"  # patches stay patches
            axes.imshow(image, cmap=row.cmap, vmin=row.low, vmax=row.high, interpolation=smooth)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        line[0].set_ylabel(row.label, rotation=0, ha="right", va="center", fontsize=10)
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, loc="center", fontsize=10, pad=3)
    return figure, grid


def even(count: int, most: int) -> list[int]:
    """At most `most` of `count` places, evenly spread, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int)).tolist()


def spans(frames: int, latent_frames: int) -> list[range]:
    """Which pixel frames each latent frame stands for: frame 0 alone, then four each.

    Where patches fold latent frames together (CogVideoX 1.5), as even a cut as can be.
    """
    if frames == pixel_frames(latent_frames):
        return [range(1), *(range(4 * k - 3, 4 * k + 1) for k in range(1, latent_frames))]
    return [range(part[0], part[-1] + 1) for part in np.array_split(np.arange(frames), latent_frames) if len(part)]


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
