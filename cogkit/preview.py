"""A decoder of 51 numbers: the linear map from 16 latent channels to the colour of the pixels that they stand for.

Too coarse for a video, quick enough for every step of a sampler. What it misses is what the decoder adds.
"""

from typing import NamedTuple

import torch
from einops import rearrange, reduce
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from cogkit.shapes import SPATIAL, TEMPORAL


class PreviewError(ValueError):
    """Latents and frames that do not belong together."""


class LinearPreview(NamedTuple):
    """`preview(latents)`: (t, c, h, w), scaled as the sampler holds them -> (t, h, w, 3), one frame a latent frame."""

    weight: Float[Tensor, "c 3"]
    bias: Float[Tensor, "3"]

    def __call__(self, latents: Float[Tensor, "t c h w"] | Float[ndarray, "t c h w"]) -> UInt8[ndarray, "t h w 3"]:
        pixels = rearrange(torch.as_tensor(latents).float(), "t c h w -> t h w c") @ self.weight + self.bias
        return (pixels.clamp(0, 1) * 255).round().byte().numpy()


def fit_preview(
    latents: Float[Tensor, "t c h w"] | Float[ndarray, "t c h w"], frames: UInt8[ndarray, "F H W 3"]
) -> LinearPreview:
    """The least-squares fit over every latent pixel of a clip, to the mean colour of its 4x8x8 block (frame 0: 1x8x8).

    Raises PreviewError when the clip is not what these latents decode to.
    """
    latents, targets = torch.as_tensor(latents).double(), block_colours(frames)
    t, c, h, w = latents.shape
    if tuple(targets.shape) != (t, h, w, 3):
        raise PreviewError(
            f"latents of {t}x{h}x{w} do not stand for frames of shape {frames.shape}: F = 4(t-1)+1, 8h x 8w"
        )
    inputs = torch.cat([rearrange(latents, "t c h w -> (t h w) c"), torch.ones(t * h * w, 1).double()], 1)
    found = torch.linalg.lstsq(inputs, targets.reshape(-1, 3).double(), driver="gelsd").solution.float()
    return LinearPreview(found[:-1], found[-1])


def block_colours(frames: UInt8[ndarray, "F H W 3"]) -> Float[Tensor, "t h w 3"]:
    """The mean colour, 0 to 1, of the pixels that each latent pixel stands for; frame 0 is alone in time."""
    pixels = torch.as_tensor(frames).float() / 255
    pixels = torch.cat([pixels[:1].expand(TEMPORAL, -1, -1, -1), pixels[1:]])
    return reduce(pixels, "(t dt) (h dy) (w dx) c -> t h w c", "mean", dt=TEMPORAL, dy=SPATIAL, dx=SPATIAL)
