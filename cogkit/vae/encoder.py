"""Video -> the mean and log-variance of its latents."""

from functools import partial
from math import log2

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cogkit.vae.causal_conv import CausalConv3d
from cogkit.vae.group_norm import GroupNorm
from cogkit.vae.resample import Downsample
from cogkit.vae.resnet import Row
from cogkit.vae.stream import Stream


class Encoder(nn.Module):
    """One chunk of a video; the `stream` remembers what the next chunk needs.

    Every row but the last ends by halving the size; the first of them (two, for 4x) halve the time too.
    Paper: figure 3, left. Mirrors: CogVideoXEncoder3D.
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
            self.down_blocks.append(Row(widths[max(0, i - 1)], width, c.layers_per_block, norm, downsamplers=halve))
        self.mid_block = Row(widths[-1], widths[-1], 2, norm)
        self.norm_out = GroupNorm(c.norm_num_groups, widths[-1], eps=1e-6)
        self.conv_out = CausalConv3d(widths[-1], 2 * c.latent_channels)

    def forward(self, x: Float[Tensor, "b c F H W"], stream: Stream) -> Float[Tensor, "b cz2 t h w"]:
        if not stream.as_released:
            x = x.contiguous(memory_format=torch.channels_last_3d)
        x = self.conv_in(x, stream)
        for row in (*self.down_blocks, self.mid_block):
            x = row(x, stream)
        x = self.conv_out(F.silu(self.norm_out(x, stream), inplace=True), stream)
        stream.first = False
        return x
