"""Half the size, twice the size, in space and in time. Frame 0 of a video is neither halved nor doubled in time."""

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from cogkit.vae.causal_conv import Direct
from cogkit.vae.stream import Map, Stream


class Downsample(nn.Module):
    """Time: the mean of two neighbouring frames, nothing learned. Space: a 3x3 convolution of stride 2 on each frame.

    Space is padded with zeros on the right and at the bottom only; an odd height or width loses its last row.
    Mirrors: CogVideoXDownsample3D.
    """

    def __init__(self, channels: int, compress_time: bool):
        super().__init__()
        self.compress_time = compress_time
        self.conv = Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Map, stream: Stream) -> Float[Tensor, "b c t2 h2 w2"]:
        x = mean_of_pairs(x, stream.starts_alone(x)) if self.compress_time else x
        pictures = F.pad(rearrange(x, "b c t h w -> (b t) c h w"), (0, 1, 0, 1))
        return rearrange(self.conv(pictures, stream.as_released), "(b t) c h w -> b c t h w", b=len(x))


class Upsample(nn.Module):
    """Space: every pixel four times, then a 3x3 convolution on each frame. Time: every frame twice.

    Mirrors: CogVideoXUpsample3D, which repeats pixels and frames first and convolves all of them.
    """

    def __init__(self, channels: int, compress_time: bool):
        super().__init__()
        self.compress_time = compress_time
        self.conv = DoublingConv2d(channels, channels, 3, padding=1)

    def forward(self, x: Map, stream: Stream) -> Float[Tensor, "b c t2 h2 w2"]:
        alone = stream.starts_alone(x)
        pictures = self.conv(rearrange(x, "b c t h w -> (b t) c h w"), stream.as_released)
        x = rearrange(pictures, "(b t) c h w -> b c t h w", b=len(x))
        return repeat_frames(x, 2, alone) if self.compress_time else x


class Conv2d(Direct, nn.Conv2d):
    """A convolution of every picture for itself."""


class DoublingConv2d(Conv2d):
    """A 3x3 convolution of pictures that repeat each pixel of x in 2x2. Ours does not write them out: weights that meet
    the same pixel are added up beforehand, a transposed convolution of 4x4 with less than half the work."""

    def forward(self, x: Float[Tensor, "n cin h w"], as_released: bool = False) -> Float[Tensor, "n cout h2 w2"]:
        if as_released or not self.is_ours(x):
            return super().forward(F.interpolate(x, scale_factor=2.0), as_released)
        sums = 4 * F.avg_pool2d(F.pad(self.weight.float(), (1, 1, 1, 1)), 2, stride=1)
        values = x.float(), sums.flip(2, 3).transpose(0, 1), self.bias.float()
        return F.conv_transpose2d(*values, stride=2, padding=1).to(x.dtype)


def mean_of_pairs(x: Map, alone: bool) -> Float[Tensor, "b c t2 h w"]:
    """Frames (0, 1), (2, 3), ... averaged; or frame 0 as it is, then (1, 2), (3, 4), ..."""
    pairs = x[:, :, 1:] if alone else x
    means = (pairs[:, :, 0::2] + pairs[:, :, 1::2]) / 2
    return torch.cat([x[:, :, :1], means], dim=2) if alone else means


def repeat_frames(x: Map, times: int, alone: bool) -> Float[Tensor, "b c t2 h w"]:
    """Every frame `times` times, except a frame 0 that stands alone. (`cat` keeps the memory format.)"""
    copies = [1 if alone and k == 0 else times for k in range(x.shape[2])]
    return torch.cat([x[:, :, k : k + 1] for k, n in enumerate(copies) for _ in range(n)], dim=2)
