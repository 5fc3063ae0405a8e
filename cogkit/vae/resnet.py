"""The block that encoder and decoder are made of, and the rows of blocks that share one size."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cogkit.vae.causal_conv import CausalConv3d, Conv3d
from cogkit.vae.group_norm import GroupNorm
from cogkit.vae.resample import Downsample, Upsample
from cogkit.vae.spatial_norm import SpatialNorm
from cogkit.vae.stream import Stream

Latents = Float[Tensor, "b cz tz hz wz"]


class Resnet(nn.Module):
    """x + conv(silu(norm(conv(silu(norm(x)))))), both convolutions causal.

    With `latent_channels` the norms are SpatialNorms and read the latents `z` (decoder), else GroupNorms (encoder).
    Mirrors: CogVideoXResnetBlock3D without a time embedding.
    """

    def __init__(self, c_in: int, c_out: int, groups: int, eps: float, latent_channels: int | None = None):
        super().__init__()
        self.norm1 = _norm(c_in, groups, eps, latent_channels)
        self.conv1 = CausalConv3d(c_in, c_out)
        self.norm2 = _norm(c_out, groups, eps, latent_channels)
        self.conv2 = CausalConv3d(c_out, c_out)
        if c_in != c_out:
            self.conv_shortcut = Conv3d(c_in, c_out, 1)

    def forward(
        self, x: Float[Tensor, "b cin t h w"], stream: Stream, z: Latents | None = None
    ) -> Float[Tensor, "b cout t h w"]:
        seen = (stream,) if z is None else (stream, z)
        h = self.conv1(F.silu(self.norm1(x, *seen), inplace=True), stream)
        h = self.conv2(F.silu(self.norm2(h, *seen), inplace=True), stream)
        return h.add_(self.conv_shortcut(x, stream.as_released) if hasattr(self, "conv_shortcut") else x)


def _norm(channels: int, groups: int, eps: float, latent_channels: int | None) -> nn.Module:
    if latent_channels is None:
        return GroupNorm(groups, channels, eps=eps)
    return SpatialNorm(channels, latent_channels, groups)


class Row(nn.Module):
    """`depth` resnets of one width, one after the other. Mirrors: CogVideoXMidBlock3D."""

    def __init__(self, c_in: int, c_out: int, depth: int, groups: int, eps: float, latent_channels: int | None = None):
        super().__init__()
        widths = [c_in] + [c_out] * (depth - 1)
        self.resnets = nn.ModuleList(Resnet(width, c_out, groups, eps, latent_channels) for width in widths)

    def forward(
        self, x: Float[Tensor, "b cin t h w"], stream: Stream, z: Latents | None = None
    ) -> Float[Tensor, "b cout t h w"]:
        for resnet in self.resnets:
            x = resnet(x, stream, z)
        return x


class DownRow(Row):
    """A row, then half the size. Mirrors: CogVideoXDownBlock3D."""

    def __init__(self, *row, resample: bool, compress_time: bool):
        super().__init__(*row)
        width = self.resnets[-1].conv2.conv.out_channels
        self.downsamplers = nn.ModuleList([Downsample(width, compress_time)] if resample else [])

    def forward(self, x: Float[Tensor, "b cin t h w"], stream: Stream) -> Float[Tensor, "b cout t2 h2 w2"]:
        x = super().forward(x, stream)
        for downsample in self.downsamplers:
            x = downsample(x, stream)
        return x


class UpRow(Row):
    """A row, then twice the size. Mirrors: CogVideoXUpBlock3D."""

    def __init__(self, *row, resample: bool, compress_time: bool):
        super().__init__(*row)
        width = self.resnets[-1].conv2.conv.out_channels
        self.upsamplers = nn.ModuleList([Upsample(width, compress_time)] if resample else [])

    def forward(self, x: Float[Tensor, "b cin t h w"], stream: Stream, z: Latents) -> Float[Tensor, "b cout t2 h2 w2"]:
        x = super().forward(x, stream, z)
        for upsample in self.upsamplers:
            x = upsample(x, stream)
        return x
