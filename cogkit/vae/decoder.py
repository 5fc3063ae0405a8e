"""Latents -> video. Every norm on the way reads the latents again."""

from math import log2

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cogkit.vae.causal_conv import CausalConv3d
from cogkit.vae.resample import Upsample
from cogkit.vae.resnet import Row
from cogkit.vae.spatial_norm import SpatialNorm
from cogkit.vae.stream import Stream


class Decoder(nn.Module):
    """One chunk of latents; the `stream` remembers what the next chunk needs.

    Rows are one resnet deeper than the encoder's. Every row but the last ends by doubling the size; the first of them
    (two, for 4x), at the lowest sizes, double the time too.
    Paper: figure 3, right. Mirrors: CogVideoXDecoder3D.
    """

    def __init__(self, config):
        super().__init__()
        c, widths = config, config.block_out_channels[::-1]
        last, levels = len(widths) - 1, log2(c.temporal_compression_ratio)

        def norm(channels: int) -> SpatialNorm:
            return SpatialNorm(channels, c.latent_channels, c.norm_num_groups)

        self.conv_in = CausalConv3d(c.latent_channels, widths[0])
        self.mid_block = Row(widths[0], widths[0], 2, norm)
        self.up_blocks = nn.ModuleList()
        for i, width in enumerate(widths):
            double = [Upsample(width, compress_time=i < levels)] if i < last else []
            self.up_blocks.append(Row(widths[max(0, i - 1)], width, c.layers_per_block + 1, norm, upsamplers=double))
        self.norm_out = norm(widths[-1])
        self.conv_out = CausalConv3d(widths[-1], c.out_channels)

    def forward(self, z: Float[Tensor, "b cz t h w"], stream: Stream) -> Float[Tensor, "b c F H W"]:
        if not stream.as_released:
            z = z.contiguous(memory_format=torch.channels_last_3d)
        x = self.conv_in(z, stream)
        for row in (self.mid_block, *self.up_blocks):
            x = row(x, stream, z)
        x = self.conv_out(F.silu(self.norm_out(x, stream, z), inplace=True), stream)
        stream.first = False
        return x
