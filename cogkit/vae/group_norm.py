"""GroupNorm with its own statistics: torch's lose two digits on the memory format that convolutions are fast in."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cogkit.vae.stream import Map, Stream

Modulation = tuple[Float[Tensor, "b c t hz wz"], Float[Tensor, "b c t hz wz"]]


class GroupNorm(nn.GroupNorm):
    """GroupNorm(x) * scale + shift, in one pass; a number of `modulation` counts for a whole block of pixels.

    Statistics are those of the chunk: here, and only here, the frames of a chunk see each other's future. As released
    they come from torch, whose kernel for channels-last maps is off by 1e-4 in fp32; ours are centred frame by frame.
    """

    def forward(self, x: Map, stream: Stream, modulation: Modulation | None = None) -> Map:
        if stream.as_released:
            x = super().forward(x)
            return x if modulation is None else x * modulation[0] + modulation[1]
        mean, variance = channel_moments(x, self.num_groups)
        scale = self.weight.float() * (variance + self.eps).rsqrt()
        shift = self.bias.float() - mean * scale
        scale, shift = (s[:, :, None, None, None] for s in (scale, shift))
        if modulation is not None:
            scale, shift = scale * modulation[0], shift * modulation[0] + modulation[1]
        return scale_and_shift(x, scale.to(x.dtype), shift.to(x.dtype))


def channel_moments(x: Map, groups: int) -> tuple[Float[Tensor, "b c"], Float[Tensor, "b c"]]:
    """Mean and variance in fp32 of the group that each channel belongs to. Frame by frame: a frame fits the cache."""
    means, squares = [], []
    for frame in x.unbind(2):
        frame = frame.float()
        mean = frame.mean((2, 3), keepdim=True)
        centred = frame - mean
        means.append(mean[:, :, 0, 0])
        squares.append((centred * centred).mean((2, 3)))
    grouped = torch.stack(means, 2).unflatten(1, (groups, -1))  # b g c/g t
    mean = grouped.mean((2, 3), keepdim=True)
    within = torch.stack(squares, 2).unflatten(1, (groups, -1)).mean((2, 3))
    variance = within + (grouped - mean).square().mean((2, 3))
    size = x.shape[1] // groups
    return mean[:, :, 0, 0].repeat_interleave(size, 1), variance.repeat_interleave(size, 1)


def scale_and_shift(
    x: Float[Tensor, "b c T H W"], scale: Float[Tensor, "b c t h w"], shift: Float[Tensor, "b c t h w"]
) -> Float[Tensor, "b c T H W"]:
    """x * scale + shift, with one scale and one shift for each block of T/t x H/h x W/w pixels."""
    h, w = scale.shape[3:]
    scale, shift = (s[:, :, :, :, None, :, None] for s in (scale, shift))
    if torch.is_grad_enabled():
        return torch.addcmul(shift, scale, in_blocks(x, h, w)).flatten(5, 6).flatten(3, 4)
    out = torch.empty_like(x)  # keeps the memory format
    torch.addcmul(shift, scale, in_blocks(x, h, w), out=in_blocks(out, h, w))
    return out


def in_blocks(x: Float[Tensor, "b c t H W"], h: int, w: int) -> Float[Tensor, "b c t h bh w bw"]:
    return x.unflatten(4, (w, -1)).unflatten(3, (h, -1))
