"""RoPE: how alike the positions of two tokens are, and by which angles a token's channels are turned."""

import numpy as np
from jaxtyping import Float

from cogkit.plots.figure import AMOUNT, COLOURS, WIDTH, Picture, PlotError, describe, picture
from cogkit.plots.tables import table

Turns = Float[np.ndarray, "n pairs 2"]  # cos and sin of every token's angle, for every pair of channels
AXES = ("time", "y", "x")


@picture
def rope_field(turns: Turns, grid: tuple[int, int, int], token: tuple[int, int, int], axes: str = "all") -> Picture:
    """Likeness of every place of the grid to the token at (t, y, x), and the token's angles as hands of a clock.

    Likeness is the mean cosine between angles: how a query and a key score, if before they are turned all their pairs
    have the same direction and length 1. `axes`: "all", or the pairs of "time", "y" or "x" alone.
    """
    alike, at = likeness(turns, grid, axes), place_of(grid, token)
    field = alike[at].reshape(grid)
    figure = Picture(figsize=(WIDTH, 3.1))
    parts = figure.subfigures(2, 1, height_ratios=(2.6, 1))
    frames = parts[0].subplots(1, grid[0], squeeze=False)[0]
    for t, (shown, cell) in enumerate(zip(field, frames, strict=True)):
        image = cell.imshow(shown, cmap=AMOUNT, vmin=alike.min(), vmax=1)
        cell.set_title(f"latent frame {t}" if grid[0] < 8 else f"{t}", fontsize=10)
        cell.set(xticks=[], yticks=[])
        cell.spines[:].set_visible(False)
    frames[token[0]].plot(token[2], token[1], "o", markersize=9, markerfacecolor="none", color="#D55E00", mew=2)
    parts[0].colorbar(image, ax=frames, label="likeness")
    clocks = parts[1].subplots()
    cos, sin = turns[at].T
    colours = np.repeat(COLOURS[:3], pairs_of(len(cos)))
    spots = np.arange(len(cos)) + np.repeat(range(3), pairs_of(len(cos)))
    clocks.scatter(spots, 0 * spots, s=260, facecolor="none", edgecolor="0.8")
    clocks.quiver(
        spots, 0 * spots, sin, cos, color=colours, angles="uv", scale=1, scale_units="x", width=0.0025, headwidth=5
    )
    for name, first, count in zip(AXES, np.cumsum([0, *pairs_of(len(cos))]), pairs_of(len(cos)), strict=False):
        k = AXES.index(name)
        clocks.text(spots[first] + (count - 1) / 2, -1.25, f"{name} = {token[k]}", ha="center", va="top", fontsize=10)
    clocks.set(xlim=(-1, spots[-1] + 1), ylim=(-2.4, 0.9), xticks=[], yticks=[])
    clocks.spines[:].set_visible(False)
    name = "" if axes == "all" else f", pairs of {axes} alone"
    title = f"Token at t {token[0]}, y {token[1]}, x {token[2]}{name}: likeness from 1 down to {field.min():.2f}"
    figure.suptitle(title)
    steps = range(max(grid))
    rows = [[k, *(_from(field, token, axis, k) for axis in range(3))] for k in steps]
    alt = f"{title}. Below, the angle of each of its {len(cos)} pairs of channels."
    return describe(figure, alt, table(["distance", *AXES], rows))


def likeness(turns: Turns, grid: tuple[int, int, int], axes: str = "all") -> Float[np.ndarray, "n n"]:
    """The mean over pairs of cos(angle of one token - angle of the other), for all tokens."""
    if len(turns) != np.prod(grid):
        raise PlotError(f"a grid of {grid} has {np.prod(grid)} tokens, but {len(turns)} have angles")
    ends = np.cumsum([0, *pairs_of(turns.shape[1])])
    if axes != "all":
        k = AXES.index(axes)
        turns = turns[:, ends[k] : ends[k + 1]]
    flat = turns.reshape(len(turns), -1)
    return flat @ flat.T / turns.shape[1]


def pairs_of(pairs: int) -> tuple[int, int, int]:
    """How a head's pairs of channels are dealt: a quarter to time, 3/8 to y, 3/8 to x."""
    return pairs // 4, pairs // 8 * 3, pairs // 8 * 3


def place_of(grid: tuple[int, int, int], token: tuple[int, int, int]) -> int:
    if any(not 0 <= k < n for k, n in zip(token, grid, strict=True)):
        raise PlotError(f"the token at {token} lies outside a grid of {grid}")
    return int(np.ravel_multi_index(token, grid))


def _from(field: Float[np.ndarray, "t y x"], token: tuple[int, int, int], axis: int, distance: int) -> float:
    """Likeness at that distance along one axis, to whichever side the grid goes on; nan beyond it."""
    for sign in (1, -1):
        there = [k + sign * distance * (axis == n) for n, k in enumerate(token)]
        if 0 <= there[axis] < field.shape[axis]:
            return float(field[tuple(there)])
    return np.nan
