"""Drag a token through space and time: the positions it feels near to, and the hands of its clocks."""

from functools import partial

import numpy as np

from cogkit.plots.figure import Picture
from cogkit.plots.rope import AXES, likeness, place_of, rope_field
from cogkit.widgets.controls import choice, slider
from cogkit.widgets.picture import Explorer

NEXT = {"the next latent frame": (1, 0, 0), "the row below": (0, 1, 0), "the column to the right": (0, 0, 1)}


def look(turns: np.ndarray, grid: tuple[int, int, int], t: int, y: int, x: int, axes: str) -> tuple[Picture, str]:
    """The field around the token at (t, y, x). `turns`: cos and sin of every token and pair."""
    alike, token = likeness(turns, grid, axes), (t, y, x)
    far = np.unravel_index(alike[place_of(grid, token)].argmin(), grid)
    readout = f"Least alike: t {far[0]}, y {far[1]}, x {far[2]}. Anywhere in the grid, a token and its neighbour in "
    for name, step in NEXT.items():
        low, high = _ends(alike, grid, step)
        same = f"{low:.2f}" if round(low, 2) == round(high, 2) else f"{low:.2f} to {high:.2f}"
        readout += f"{name} are alike by {same}; "
    return rope_field(turns, grid, token, axes), readout[:-2] + "."


def _ends(alike: np.ndarray, grid: tuple[int, int, int], step: tuple[int, int, int]) -> tuple[float, float]:
    """Least and greatest likeness of two tokens that are so far apart, over the whole grid; nan if there are none."""
    places = np.arange(len(alike)).reshape(grid)
    here = places[tuple(slice(0, n - k) for n, k in zip(grid, step, strict=True))].ravel()
    there = places[tuple(slice(k, n) for n, k in zip(grid, step, strict=True))].ravel()
    found = alike[here, there]
    return (float(found.min()), float(found.max())) if len(found) else (np.nan, np.nan)


class RopeExplorer(Explorer):
    """`rotary`: the cos and sin tables (n, head channels) of a grid of (t, y, x), as `rotary_embedding` gives them."""

    def __init__(self, rotary, grid: tuple[int, int, int]):
        turns = np.stack([np.asarray(part)[:, ::2] for part in rotary], axis=-1)
        t, y, x = grid
        super().__init__(
            partial(look, turns, (t, y, x)),
            t=slider("latent frame t", 0, t - 1, t // 2),
            y=slider("row y", 0, y - 1, y // 2),
            x=slider("column x", 0, x - 1, x // 2),
            axes=choice("pairs of channels", ("all", *AXES), "all"),
        )
