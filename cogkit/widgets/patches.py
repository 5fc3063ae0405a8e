"""Walk along the sequence of tokens: which pixels, frames and latents each one stands for."""

import numpy as np

from cogkit.plots.figure import Picture
from cogkit.plots.patches import SIDE, token_cover
from cogkit.shapes import check_frames, check_size, latent_frames
from cogkit.widgets.controls import choice, slider, stops
from cogkit.widgets.picture import Explorer

SIZES = {f"{h} x {w}": (h, w) for h, w in ((64, 64), (128, 128), (192, 192), (256, 384), (480, 720), (768, 1360))}


def look(frames: int, size: tuple[int, int], token: int, channels: int = 16) -> tuple[Picture, str]:
    """Token number `token` of a video of that many frames and that (height, width), with patches of 1 x 2 x 2."""
    check_frames(frames)
    check_size(*size)
    t, y, x = grid_of(frames, size)
    at, row, column = (int(k) for k in np.unravel_index(token, (t, y, x)))
    covered = 4 if at else 1
    pixels, numbers = covered * SIDE**2 * 3, 4 * channels
    return token_cover(frames, *size, token), (
        f"A grid of {t} x {y} x {x} has {t * y * x:,} tokens. This one holds {numbers} numbers (4 latent pixels of "
        f"{channels} channels) for {pixels:,} (3 colours of {SIDE} x {SIDE} pixels in {covered} "
        f"frame{'s' * (covered > 1)}). Right neighbour: {_next(token, 1, column + 1 < x)}. Below: "
        f"{_next(token, x, row + 1 < y)}. The same place one latent frame later: {_next(token, x * y, at + 1 < t)}."
    )


def grid_of(frames: int, size: tuple[int, int]) -> tuple[int, int, int]:
    return latent_frames(frames), size[0] // SIDE, size[1] // SIDE


def _next(token: int, step: int, there: bool) -> str:
    return f"token {token + step}" if there else "none, this is the edge"


class PatchExplorer(Explorer):
    """Its token slider ends where the sequence of the chosen size ends."""

    def __init__(self, frames: int = 17, size: tuple[int, int] = (128, 128), token: int = 156):
        chosen = stops("frames", (1, 9, 17, 25, 33, 49), frames), choice("height x width", SIZES, size)
        walk = slider("token", 0, int(np.prod(grid_of(frames, size))) - 1, token)

        def fit(change):
            walk.max = int(np.prod(grid_of(*(control.value for control in chosen)))) - 1

        for control in chosen:
            control.observe(fit, names="value")  # before the picture is drawn: observers are called in order
        super().__init__(look, frames=chosen[0], size=chosen[1], token=walk)
