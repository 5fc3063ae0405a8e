"""How noisy is it? A number becomes a vector, which drives the modulation of every block."""

import math

import torch
from jaxtyping import Float, Real
from torch import Tensor, nn
from torch.nn import functional as F


def sinusoid(
    value: Real[Tensor, "b"], width: int, cos_first: bool = True, freq_shift: int | float = 0
) -> Float[Tensor, "b width"]:
    """[cos | sin] of value at width/2 frequencies, from 1 down to almost 1/10000. In float32.

    Mirrors: Timesteps (get_timestep_embedding); cos_first is its flip_sin_to_cos.
    """
    half = width // 2
    exponent = -math.log(10_000) * torch.arange(half, dtype=torch.float32, device=value.device)
    angles = value[:, None].float() * torch.exp(exponent / (half - freq_shift))
    return torch.cat([angles.cos(), angles.sin()] if cos_first else [angles.sin(), angles.cos()], dim=-1)


class TimestepEmbedding(nn.Module):
    """Linear, SiLU, linear. The timestep has one; the 1.5 image-to-video model has a second one for `ofs`.

    ofs is a number that the released pipelines keep at 2.0; its vector is added to the timestep's.
    Mirrors: TimestepEmbedding.
    """

    def __init__(self, width: int, time_embed_dim: int):
        super().__init__()
        self.linear_1 = nn.Linear(width, time_embed_dim)
        self.linear_2 = nn.Linear(time_embed_dim, time_embed_dim)

    def forward(self, wave: Float[Tensor, "b width"]) -> Float[Tensor, "b e"]:
        return self.linear_2(F.silu(self.linear_1(wave)))
