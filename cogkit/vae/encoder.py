"""Video -> the mean and log-variance of its latents."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cogkit.vae.causal_conv import CausalConv3d
from cogkit.vae.resnet import DownRow, Row
from cogkit.vae.stream import Stream


class Encoder(nn.Module):
    """One chunk of a video; the `stream` remembers what the next chunk needs.

    Every row but the last ends by halving the size; the first `levels` of them halve the time too.
    Paper: figure 3, left. Mirrors: CogVideoXEncoder3D.
    """

    def __init__(
        self, channels: int, latent_channels: int, widths: list[int], depth: int, groups: int, eps: float, levels: int
    ):
        super().__init__()
        last = len(widths) - 1
        self.conv_in = CausalConv3d(channels, widths[0])
        self.down_blocks = nn.ModuleList(
            DownRow(widths[max(0, i - 1)], width, depth, groups, eps, resample=i < last, compress_time=i < levels)
            for i, width in enumerate(widths)
        )
        self.mid_block = Row(widths[-1], widths[-1], 2, groups, eps)
        self.norm_out = nn.GroupNorm(groups, widths[-1], eps=1e-6)
        self.conv_out = CausalConv3d(widths[-1], 2 * latent_channels)

    def forward(self, x: Float[Tensor, "b c F H W"], stream: Stream) -> Float[Tensor, "b cz2 t h w"]:
        if not stream.as_released:
            x = x.contiguous(memory_format=torch.channels_last_3d)
        x = self.conv_in(x, stream)
        for down in self.down_blocks:
            x = down(x, stream)
        x = self.mid_block(x, stream)
        x = self.conv_out(F.silu(self.norm_out(x), inplace=True), stream)
        stream.first = False
        return x
