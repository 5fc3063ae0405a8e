"""The block that encoder and decoder are made of, and the rows of blocks that share one size."""

from collections.abc import Callable, Iterable

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cogkit.vae.causal_conv import CausalConv3d, Conv3d
from cogkit.vae.stream import Map, NewMap, Stream

LatentMap = Float[Tensor, "b cz tz hz wz"]  # in the VAE's axis order, unscaled; other than `cogkit.shapes.Latents`
Modules = Iterable[nn.Module]
Norm = Callable[[int], nn.Module]  # channels -> GroupNorm (encoder) or SpatialNorm, which reads the latents (decoder)


class Resnet(nn.Module):
    """x + conv(silu(norm(conv(silu(norm(x)))))), both convolutions causal. `z`: the latents, in the decoder.

    Mirrors: CogVideoXResnetBlock3D without a time embedding.
    """

    def __init__(self, c_in: int, c_out: int, norm: Norm):
        super().__init__()
        self.norm1 = norm(c_in)
        self.conv1 = CausalConv3d(c_in, c_out)
        self.norm2 = norm(c_out)
        self.conv2 = CausalConv3d(c_out, c_out)
        self.conv_shortcut = Conv3d(c_in, c_out, 1) if c_in != c_out else None

    def forward(self, x: Map, stream: Stream, *z: LatentMap) -> Float[Tensor, "b cout t h w"]:
        h = self.conv1(F.silu(self.norm1(x, stream, *z), inplace=True), stream)
        h = self.conv2(F.silu(self.norm2(h, stream, *z), inplace=True), stream)
        return h.add_(x if self.conv_shortcut is None else self.conv_shortcut(x, stream.as_released))


class Row(nn.Module):
    """`depth` resnets of one width, one after the other, then, in all rows but the last, half or twice the size.

    Mirrors: CogVideoXMidBlock3D, CogVideoXDownBlock3D and CogVideoXUpBlock3D.
    """

    def __init__(self, c_in: int, c_out: int, depth: int, norm: Norm, down: Modules = (), up: Modules = ()):
        super().__init__()
        self.resnets = nn.ModuleList(Resnet(c_out if k else c_in, c_out, norm) for k in range(depth))
        self.downsamplers, self.upsamplers = nn.ModuleList(down), nn.ModuleList(up)

    def forward(self, x: Map, stream: Stream, *z: LatentMap) -> NewMap:
        for resnet in self.resnets:
            x = resnet(x, stream, *z)
        for resample in (*self.downsamplers, *self.upsamplers):
            x = resample(x, stream)
        return x
