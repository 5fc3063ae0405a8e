"""Latents -> video. Every norm on the way reads the latents again."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cogkit.vae.causal_conv import CausalConv3d
from cogkit.vae.resnet import Row, UpRow
from cogkit.vae.spatial_norm import SpatialNorm
from cogkit.vae.stream import Stream


class Decoder(nn.Module):
    """One chunk of latents; the `stream` remembers what the next chunk needs.

    Rows are one resnet deeper than the encoder's. Every row but the last ends by doubling the size; the first `levels`
    of them, at the lowest sizes, double the time too.
    Paper: figure 3, right. Mirrors: CogVideoXDecoder3D.
    """

    def __init__(
        self, channels: int, latent_channels: int, widths: list[int], depth: int, groups: int, eps: float, levels: int
    ):
        super().__init__()
        widths, last = widths[::-1], len(widths) - 1
        row = (depth + 1, groups, eps, latent_channels)
        self.conv_in = CausalConv3d(latent_channels, widths[0])
        self.mid_block = Row(widths[0], widths[0], 2, groups, eps, latent_channels)
        self.up_blocks = nn.ModuleList(
            UpRow(widths[max(0, i - 1)], width, *row, resample=i < last, compress_time=i < levels)
            for i, width in enumerate(widths)
        )
        self.norm_out = SpatialNorm(widths[-1], latent_channels, groups)
        self.conv_out = CausalConv3d(widths[-1], channels)

    def forward(self, z: Float[Tensor, "b cz t h w"], stream: Stream) -> Float[Tensor, "b c F H W"]:
        if not stream.as_released:
            z = z.contiguous(memory_format=torch.channels_last_3d)
        x = self.mid_block(self.conv_in(z, stream), stream, z)
        for up in self.up_blocks:
            x = up(x, stream, z)
        x = self.conv_out(F.silu(self.norm_out(x, z, stream), inplace=True), stream)
        stream.first = False
        return x
