"""A video goes through the VAE in chunks. This is all that one chunk has to know of the chunks before it."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

Map = Float[Tensor, "b c t h w"]  # pixels, features or latents, in the VAE's axis order
NewMap = Float[Tensor, "b c2 t2 h2 w2"]  # what becomes of it


class Stream:
    """The state of one video on its way through one network: made empty, filled by every chunk, dropped at the end.

    `first` says that the coming chunk holds frame 0, which stands alone in time: every later group of four frames
    shares one latent frame, frame 0 has one to itself. diffusers carries no such flag and takes "an odd number of
    frames" for it; with `as_released` so do we, and every piece then also computes in the order of diffusers, so that
    not a bit differs. Otherwise the pieces may add in another order, which in fp32 moves the last digits.
    Mirrors: the conv_cache dictionaries, which hold the same tails and more.
    """

    def __init__(self, as_released: bool = False):
        self.as_released = as_released
        self.first = True
        self.tails: dict[nn.Module, Tensor] = {}  # the last frames that each convolution read

    def starts_alone(self, x: Map) -> bool:
        return x.shape[2] % 2 == 1 if self.as_released else self.first

    def with_past(self, conv: nn.Module, x: Map, past_frames: int) -> Float[Tensor, "b c s h w"]:
        """`x` behind the frames that `conv` read before it: at the start of a video, its first frame repeated."""
        past = [self.tails[conv]] if conv in self.tails else [x[:, :, :1]] * past_frames
        x = torch.cat([*past, x], dim=2)
        self.tails[conv] = x[:, :, -past_frames:].clone()  # a view would keep all of x alive
        return x
