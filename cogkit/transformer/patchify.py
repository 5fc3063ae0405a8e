"""latents <-> patches. The two directions share a file, so they cannot drift apart."""

from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from cogkit.shapes import Latents

Patches = Float[Tensor, "b n d"]
Grid = tuple[int, int, int]  # how many patches along (time, y, x)


class PatchError(ValueError):
    """The latents do not divide into whole patches."""


def patch_grid(t: int, h: int, w: int, dt: int = 1, p: int = 2) -> Grid:
    """How many patches of dt x p x p fill t x h x w latents. Raises PatchError if one would be cut."""
    for axis, size, step in (("t", t, dt), ("h", h, p), ("w", w, p)):
        if size < step or size % step:
            below = size // step * step
            way_out = f"crop it to {below} or pad it to {below + step}" if below else f"pad it to {step}"
            raise PatchError(f"latent axis {axis}={size} is not a multiple of its patch size {step}; {way_out}")
    return t // dt, h // p, w // p


def patchify(latents: Latents, dt: int = 1, p: int = 2) -> Patches:
    """Cut latents into boxes of dt x p x p and flatten each box; dt is 1 in CogVideoX 1.0 and 2 in 1.5.

    Order of the tokens: time slowest, then y, then x. Order inside a token: channel slowest, then dt, dy, dx.
    Mirrors: the reshape in CogVideoXPatchEmbed (1.5); for 1.0 the stride of its Conv2d, whose flattened weight
    is a linear layer on these patches.
    """
    patch_grid(latents.shape[1], *latents.shape[3:], dt, p)
    return rearrange(latents, "b (t dt) c (y dy) (x dx) -> b (t y x) (c dt dy dx)", dt=dt, dy=p, dx=p)


def unpatchify(patches: Patches, grid: Grid, dt: int = 1, p: int = 2) -> Latents:
    """Exact inverse of `patchify`. Mirrors: the end of CogVideoXTransformer3DModel.forward."""
    t, y, x = grid
    return rearrange(patches, "b (t y x) (c dt dy dx) -> b (t dt) c (y dy) (x dx)", t=t, y=y, x=x, dt=dt, dy=p, dx=p)
