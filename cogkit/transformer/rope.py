"""Where is this patch? The other answer: queries and keys are turned by angles that grow with the position.

The score of two turned vectors depends on the difference of their angles, so attention sees distances, not places.
Section 2.2 (3D-RoPE); appendix A argues that positions of a larger video should go on, not be squeezed.
"""

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.nn import functional as F

from cogkit.transformer.patchify import Grid, patch_grid

Rotary = tuple[Float[Tensor, "nv head"], Float[Tensor, "nv head"]]  # cos and sin, each angle twice in a row


class PositionError(ValueError):
    """The model has no positions for a video of this size."""


def fit_and_centre(size: tuple[int, int], base: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """The box (first, last + 1) of a (y, x) grid shrunk or blown up, keeping its shape, until it fits into `base`.

    Mirrors: get_resize_crop_region_for_grid of the pipelines.
    """
    (y, x), (base_y, base_x) = size, base
    if y / x > base_y / base_x:
        fitted = base_y, int(round(base_y / y * x))
    else:
        fitted = int(round(base_x / x * y)), base_x
    first = tuple(int(round((b - f) / 2)) for b, f in zip(base, fitted, strict=True))
    return first, tuple(a + f for a, f in zip(first, fitted, strict=True))


def positions(grid: Grid, base: tuple[int, int] | None, as_released: bool = False) -> list[Float[Tensor, "_"]]:
    """Coordinates along time, y and x. With a `base` (1.0) y and x are interpolated into its box; else they count up.

    `as_released=True` ends the interpolation where diffusers does: it stops at last * (n - 1) / n, which forgets that
    the box of a cropped grid does not begin at 0, so the patches stand a little too close together.
    """
    axes = [torch.arange(n, dtype=torch.float32) for n in grid]
    if base is not None:
        for axis, (n, first, end) in enumerate(zip(grid[1:], *fit_and_centre(grid[1:], base), strict=True), 1):
            last = end * (n - 1) / n if as_released else first + (end - first) * (n - 1) / n
            axes[axis] = torch.linspace(first, last, n, dtype=torch.float32)
    return axes


def rotary_table(axes: list[Float[Tensor, "_"]], head_dim: int, theta: int | float = 10_000) -> Rotary:
    """cos and sin for every patch; of a head's channels t has 1/4, y and x 3/8. Mirrors: get_3d_rotary_pos_embed."""
    shares = head_dim // 4, head_dim // 8 * 3, head_dim // 8 * 3
    frequencies = (1 / theta ** (torch.arange(0, share, 2, dtype=torch.float32) / share) for share in shares)
    t, y, x = (torch.outer(axis, frequency) for axis, frequency in zip(axes, frequencies, strict=True))
    parts, grid = (t[:, None, None], y[None, :, None], x[None, None, :]), [len(axis) for axis in axes]
    angle = torch.cat([part.expand(*grid, -1) for part in parts], dim=-1).flatten(0, 2)
    return angle.cos().repeat_interleave(2, dim=1), angle.sin().repeat_interleave(2, dim=1)


def rotary_embedding(config, t: int, h: int, w: int, as_released: bool = False) -> Rotary:
    """The `image_rotary_emb` of t x h x w latents, for the config of a transformer.

    1.0 squeezes other sizes into the grid it was trained on, 1.5 counts on from it (it "slices" a table that is large
    enough). `as_released=True` is bit for bit CogVideoXPipeline._prepare_rotary_positional_embeddings: with the
    shortened box of `positions`, and with PositionError where the table of 1.5 ends, beyond which we just count on.
    """
    p, dt = config.patch_size, config.patch_size_t
    grid, base = patch_grid(t, h, w, dt or 1, p), (config.sample_height // p, config.sample_width // p)
    if dt and as_released and (grid[1] > base[0] or grid[2] > base[1]):
        raise PositionError(
            f"a grid of {grid[1]} x {grid[2]} patches is larger than the {base[0]} x {base[1]} of the config; "
            f"use as_released=False, which needs no table, or a smaller video"
        )
    return rotary_table(positions(grid, None if dt else base, as_released), config.attention_head_dim)


def turns(rotary: Rotary, text: int) -> Complex[Tensor, "n head/2"]:
    """e^(i angle) for every token and pair of channels. The `text` tokens come first and are not turned."""
    cos, sin = (part[:, ::2].float() for part in rotary)
    return torch.complex(F.pad(cos, (0, 0, text, 0), value=1.0), F.pad(sin, (0, 0, text, 0)))


def rotate(x: Float[Tensor, "b heads n d"], turn: Complex[Tensor, "n d/2"]) -> Float[Tensor, "b heads n d"]:
    """Turn the channel pairs (0, 1), (2, 3), ... of every token: as complex numbers, one product. In float32.

    Mirrors: apply_rotary_emb with use_real_unbind_dim=-1.
    """
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * turn).flatten(-2).type_as(x)
