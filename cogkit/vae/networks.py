"""Figure 3 of the paper. Left: video -> the mean and log-variance of its latents. Right: latents -> video."""

from functools import partial
from math import log2

import torch
import torch.nn.functional as F
from torch import nn

from cogkit.vae.causal_conv import CausalConv3d
from cogkit.vae.group_norm import GroupNorm
from cogkit.vae.resample import Downsample, Upsample
from cogkit.vae.resnet import Row
from cogkit.vae.spatial_norm import SpatialNorm
from cogkit.vae.stream import Map, NewMap, Stream


class Network(nn.Module):
    """conv_in, rows of resnets, norm_out, silu, conv_out: on one chunk; `stream` remembers what the next one needs."""

    norms_read_latents = False

    def forward(self, x: Map, stream: Stream) -> NewMap:
        if not stream.as_released:
            x = x.contiguous(memory_format=torch.channels_last_3d)
        z = (x,) if self.norms_read_latents else ()
        x = self.conv_in(x, stream)
        for row in self.rows():
            x = row(x, stream, *z)
        x = self.conv_out(F.silu(self.norm_out(x, stream, *z), inplace=True), stream)
        stream.first = False
        return x


class Encoder(Network):
    """Every row but the last ends by halving the size; the first of them (two, for 4x) halve the time too.

    Mirrors: CogVideoXEncoder3D.
    """

    def __init__(self, config):
        super().__init__()
        c, widths = config, config.block_out_channels
        last, levels = len(widths) - 1, log2(c.temporal_compression_ratio)
        norm = partial(GroupNorm, c.norm_num_groups, eps=c.norm_eps)
        self.conv_in = CausalConv3d(c.in_channels, widths[0])
        self.down_blocks = nn.ModuleList()
        for i, width in enumerate(widths):
            halve = [Downsample(width, compress_time=i < levels)] if i < last else []
            self.down_blocks.append(Row(widths[max(0, i - 1)], width, c.layers_per_block, norm, down=halve))
        self.mid_block = Row(widths[-1], widths[-1], 2, norm)
        self.norm_out = GroupNorm(c.norm_num_groups, widths[-1], eps=1e-6)
        self.conv_out = CausalConv3d(widths[-1], 2 * c.latent_channels)

    def rows(self) -> list[Row]:
        return [*self.down_blocks, self.mid_block]


class Decoder(Network):
    """Rows are one resnet deeper, and every norm reads the latents again.

    Every row but the last ends by doubling the size; the first of them (two, for 4x), at the lowest sizes, double the
    time too. Mirrors: CogVideoXDecoder3D.
    """

    norms_read_latents = True

    def __init__(self, config):
        super().__init__()
        c, widths = config, config.block_out_channels[::-1]
        last, levels = len(widths) - 1, log2(c.temporal_compression_ratio)
        norm = partial(SpatialNorm, c.norm_num_groups, c.latent_channels)
        self.conv_in = CausalConv3d(c.latent_channels, widths[0])
        self.mid_block = Row(widths[0], widths[0], 2, norm)
        self.up_blocks = nn.ModuleList()
        for i, width in enumerate(widths):
            double = [Upsample(width, compress_time=i < levels)] if i < last else []
            self.up_blocks.append(Row(widths[max(0, i - 1)], width, c.layers_per_block + 1, norm, up=double))
        self.norm_out = norm(widths[-1])
        self.conv_out = CausalConv3d(widths[-1], c.out_channels)

    def rows(self) -> list[Row]:
        return [self.mid_block, *self.up_blocks]
