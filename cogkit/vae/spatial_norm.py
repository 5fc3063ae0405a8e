"""Every norm of the decoder looks at the latents again: they say how to scale and shift what it has normalised."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cogkit.vae.causal_conv import CausalConv3d
from cogkit.vae.group_norm import GroupNorm
from cogkit.vae.resample import repeat_frames
from cogkit.vae.stream import Stream


class SpatialNorm(nn.Module):
    """GroupNorm(f) * conv_y(z) + conv_b(z), with z the latents of this chunk, enlarged to the size of f.

    Paper: MoVQ (arXiv:2209.09002), section 3.2. Mirrors: CogVideoXSpatialNorm3D, which enlarges z first. A 1x1x1
    convolution commutes with repeating pixels, so ours runs at the size of the latents, and what it finds is spread
    over blocks of pixels without ever being written out.
    """

    def __init__(self, groups: int, latent_channels: int, channels: int):
        super().__init__()
        self.norm_layer = GroupNorm(groups, channels, eps=1e-6)
        self.conv_y = CausalConv3d(latent_channels, channels, kernel=1)
        self.conv_b = CausalConv3d(latent_channels, channels, kernel=1)

    def forward(
        self, f: Float[Tensor, "b c T H W"], stream: Stream, z: Float[Tensor, "b cz t h w"]
    ) -> Float[Tensor, "b c T H W"]:
        alone = stream.starts_alone(f)
        times = (f.shape[2] - alone) // max(1, z.shape[2] - alone)
        if stream.as_released:
            z = F.interpolate(repeat_frames(z, times, alone), size=f.shape[2:])
            return self.norm_layer(f, stream, (self.conv_y(z, stream), self.conv_b(z, stream)))
        y, b = (repeat_frames(conv(z, stream), times, alone) for conv in (self.conv_y, self.conv_b))
        return self.norm_layer(f, stream, (y, b))
