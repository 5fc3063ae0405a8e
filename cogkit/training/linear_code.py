"""The best linear code of 4x8x8 blocks: what a VAE of the same size must beat, and what it learns from first.

PCA of all blocks, 16 numbers each: as many as a latent pixel has channels. Frame 0 stands alone in the causal VAE;
here it is a block of four equal frames.
"""

from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from cogkit.shapes import SPATIAL, TEMPORAL, Video

Code = Float[Tensor, "b z t h w"]


class LinearCode(NamedTuple):
    """Orthonormal directions, ordered by the variance they explain; `scale` is the standard deviation along each."""

    mean: Float[Tensor, "pixels"]
    directions: Float[Tensor, "pixels c"]
    scale: Float[Tensor, "c"]

    def encode(self, video: Video) -> Code:
        """Whitened coordinates: every channel has variance 1 over the footage that the code was fitted to."""
        blocks, grid = to_blocks(video)
        code = (blocks - self.mean) @ self.directions / self.scale
        return rearrange(code, "(b t h w) c -> b c t h w", **grid)

    def decode(self, code: Code) -> Video:
        b, _, t, h, w = code.shape
        blocks = rearrange(code, "b c t h w -> (b t h w) c") * self.scale @ self.directions.T + self.mean
        return from_blocks(blocks, b=b, t=t, h=h, w=w)


def fit_linear_code(videos: list[Video], channels: int = 16) -> LinearCode:
    """PCA over every block of every video, from the exact covariance."""
    total, mean, second = 0, 0.0, 0.0
    for video in videos:
        blocks = to_blocks(video)[0].double()
        total += len(blocks)
        mean = mean + blocks.sum(0)
        second = second + blocks.T @ blocks
    mean = mean / total
    variance, directions = torch.linalg.eigh(second / total - torch.outer(mean, mean))
    keep = variance.argsort(descending=True)[:channels]
    return LinearCode(mean.float(), directions[:, keep].float(), variance[keep].clamp_min(1e-12).sqrt().float())


def to_blocks(video: Video) -> tuple[Float[Tensor, "n pixels"], dict[str, int]]:
    """Cut a video into the blocks that the latents stand for; also says how many along each axis."""
    first = video[:, :, :1].expand(-1, -1, TEMPORAL, -1, -1)
    video = torch.cat([first, video[:, :, 1:]], dim=2)
    blocks = rearrange(video, "b c (t dt) (h dy) (w dx) -> (b t h w) (c dt dy dx)", dt=TEMPORAL, dy=SPATIAL, dx=SPATIAL)
    b, _, frames, height, width = video.shape
    return blocks, dict(b=b, t=frames // TEMPORAL, h=height // SPATIAL, w=width // SPATIAL)


def from_blocks(blocks: Float[Tensor, "n pixels"], b: int, t: int, h: int, w: int) -> Video:
    """The inverse of `to_blocks`; the four copies of frame 0 are averaged."""
    video = rearrange(
        blocks,
        "(b t h w) (c dt dy dx) -> b c (t dt) (h dy) (w dx)",
        b=b,
        t=t,
        h=h,
        w=w,
        dt=TEMPORAL,
        dy=SPATIAL,
        dx=SPATIAL,
    )
    return torch.cat([video[:, :, :TEMPORAL].mean(2, keepdim=True), video[:, :, TEMPORAL:]], dim=2)
