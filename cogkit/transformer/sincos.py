"""Where is this patch? One answer: a fixed vector of sines and cosines, added once to the token (2B)."""

import torch
from jaxtyping import Float, Real
from torch import Tensor

from cogkit.transformer.patchify import Grid


def sincos(positions: Real[Tensor, "n"], width: int) -> Float[Tensor, "n width"]:
    """[sin | cos] of each position at width/2 frequencies, from 1 down to almost 1/10000. In float64."""
    half = width // 2
    omega = 1 / 10_000 ** (torch.arange(half, dtype=torch.float64) / half)
    angles = torch.outer(positions.double(), omega)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def sincos_3d(grid: Grid, width: int, scale_xy: int | float = 1, scale_t: int | float = 1) -> Float[Tensor, "n width"]:
    """The vector of every patch of a (time, y, x) grid, time slowest. In float64.

    Channels: 1/4 for time, then 3/8 for x, then 3/8 for y. Positions are divided by their scale first; the 2B has
    1.875 in space, so its 30 x 45 patches lie where the 16 x 24 of the first stage of training lay (256 x 384 pixels).
    Mirrors: get_3d_sincos_pos_embed, which takes the sines of every patch; we take them once per axis.
    """
    t, y, x = (torch.arange(n, dtype=torch.float32) for n in grid)
    time = sincos(t / scale_t, width // 4)[:, None, None]
    across = sincos(x / scale_xy, width // 8 * 3)[None, None, :]
    down = sincos(y / scale_xy, width // 8 * 3)[None, :, None]
    return torch.cat([part.expand(*grid, -1) for part in (time, across, down)], dim=-1).flatten(0, 2)
