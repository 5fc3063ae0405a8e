"""GroupNorm with its own statistics: torch's lose two digits on the memory format that convolutions are fast in."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cogkit.vae.stream import Map, Stream

BAND = 2048  # pixels
Modulation = tuple[Float[Tensor, "b c t hz wz"], Float[Tensor, "b c t hz wz"]]


class GroupNorm(nn.GroupNorm):
    """GroupNorm(x) * scale + shift, in one pass; a number of `modulation` counts for a whole block of pixels.

    Statistics are those of the chunk: here, and only here, the frames of a chunk see each other's future. As released
    they come from torch, whose kernel for channels-last maps is off by 1e-4 in fp32.
    Mirrors: the nn.GroupNorm of CogVideoXResnetBlock3D and CogVideoXSpatialNorm3D.
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
    """Mean and variance in fp32 of the group that each channel belongs to.

    On a CPU from bands of rows, small enough for the cache and for fp32 sums that lose nothing, put together by the law
    of total variance.
    """
    if x.device.type != "cpu" or torch.is_grad_enabled():
        grouped = x.float().unflatten(1, (groups, -1)).flatten(2)
        variance, mean = torch.var_mean(grouped, dim=2, correction=0)
    else:
        rows = max(1, BAND // x.shape[4])
        bands = [band[None] for clip in x for frame in clip.unbind(1) for band in frame.split(rows, dim=1)]
        running = torch.zeros(x.shape[1]), torch.ones(x.shape[1])  # not used; their dtype is that of the moments
        moments = (torch.stack(torch.batch_norm_update_stats(band, *running, 0.0)) for band in bands)
        means, variances = torch.stack([*moments]).unflatten(0, (len(x), -1)).unflatten(3, (groups, -1)).unbind(2)
        share = torch.tensor([float(band.shape[2]) for band in bands[: means.shape[1]]])[:, None, None]
        share = share / share.sum() / means.shape[3]
        mean = (share * means).sum((1, 3))
        variance = (share * (variances + (means - mean[:, None, :, None]).square())).sum((1, 3))
    size = x.shape[1] // groups
    return mean.repeat_interleave(size, 1), variance.repeat_interleave(size, 1)


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
