"""Where is this patch? One answer: a fixed vector of sines and cosines, added once to the token (2B)."""

import torch
from einops import rearrange
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

    Channels: 1/4 for time, then 3/8 for x, then 3/8 for y. Positions are divided by their scale first (the 2B: 1.875
    in space, which maps its 30 x 45 patches onto the 16 x 24 of its first training stage).
    Mirrors: get_3d_sincos_pos_embed, which takes the same sines of every patch that we take once per axis.
    """
    t, y, x = (
        sincos(torch.arange(n, dtype=torch.float32) / scale, share)
        for n, scale, share in zip(
            grid, (scale_t, scale_xy, scale_xy), (width // 4, width // 8 * 3, width // 8 * 3), strict=True
        )
    )
    nt, ny, nx = grid
    parts = (
        t[:, None, None].expand(nt, ny, nx, -1),
        x[None, None, :].expand(nt, ny, nx, -1),
        y[None, :, None].expand(nt, ny, nx, -1),
    )
    return rearrange(torch.cat(parts, dim=-1), "t y x d -> (t y x) d")
