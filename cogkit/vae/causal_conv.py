"""A 3-D convolution that cannot see the future."""

from math import ceil

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cogkit.vae.stream import Stream

LARGEST = 2**30  # values in one call: the GPU kernels count in 32 bits


class CausalConv3d(nn.Module):
    """Convolve over (t, h, w) so that output frame t depends on input frames <= t only.

    Pads: time on the left only, with the frames of the chunk before, or with the video's first frame repeated; space
    on both sides, with zeros. A kernel of one frame needs no past and keeps none (diffusers keeps its whole input).
    Paper: section 2.1 and figure 3. Mirrors: CogVideoXCausalConv3d with its default pad_mode; the cache is `stream`.
    """

    def __init__(self, c_in: int, c_out: int, kernel: int = 3):
        super().__init__()
        self.past_frames = kernel - 1
        self.conv = Conv3d(c_in, c_out, kernel, padding=(0, kernel // 2, kernel // 2))

    def forward(self, x: Float[Tensor, "b cin t h w"], stream: Stream) -> Float[Tensor, "b cout t h w"]:
        if self.past_frames:
            x = stream.with_past(self, x, self.past_frames)
        return self.conv(x, stream.as_released)


class Direct:
    """A convolution that never takes the slow way on a CPU. `as_released`, or compiled, leaves the choice to torch.

    For a single fp32 video torch picks its slow native kernel while channels x frames x height <= 20480; asking oneDNN
    directly is 2 to 12 times faster there. In bf16 a processor without tiles for it (AMX) takes twice as long as in
    fp32: there we compute in fp32, and round once, at the end, as the slow way does.
    """

    def forward(self, x: Tensor, as_released: bool = False) -> Tensor:
        if as_released or not self.is_ours(x):
            return super().forward(x)
        how = self.padding, self.stride, self.dilation, self.groups
        return torch.ops.aten.mkldnn_convolution(x.float(), self.weight.float(), self.bias.float(), *how).to(x.dtype)

    def is_ours(self, x: Tensor) -> bool:
        wide = x.dtype == torch.bfloat16 and not torch.cpu._is_amx_tile_supported()
        plain = x.device.type == "cpu" and x.dtype == self.weight.dtype and (wide or x.dtype == torch.float32)
        theirs = torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling()
        return plain and not theirs and torch.backends.mkldnn.is_available()


class Conv3d(Direct, nn.Conv3d):
    """Very large inputs go in parts along time. Mirrors: CogVideoXSafeConv3d."""

    def forward(self, x: Float[Tensor, "b cin s h w"], as_released: bool = False) -> Float[Tensor, "b cout t h w"]:
        if x.numel() <= LARGEST:
            return super().forward(x, as_released)
        past = self.kernel_size[0] - 1
        step = ceil((x.shape[2] - past) / ceil(x.numel() / LARGEST))
        starts = range(0, x.shape[2] - past, step)
        parts = [super(Conv3d, self).forward(x[:, :, s : s + step + past], as_released) for s in starts]
        return torch.cat(parts, dim=2)
