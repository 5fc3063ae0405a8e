"""Explicit uniform sampling: timesteps that cover 0..999 evenly in every single step.

The paper gives each data-parallel rank an interval of its own (section 3.3). On one machine the clips of a step take
the ranks' place: clip i of n draws from the i-th of n intervals, and a shuffle breaks the tie between length and noise.
"""

import torch
from jaxtyping import Int
from torch import Tensor


def explicit_uniform(count: int, generator: torch.Generator, train_timesteps: int = 1000) -> Int[Tensor, "count"]:
    """One timestep from each of `count` equal intervals of 0..train_timesteps-1, in random order."""
    within = torch.rand(count, generator=generator, dtype=torch.float64)
    spread = (torch.arange(count) + within) / count * train_timesteps
    return spread.long().clamp_max(train_timesteps - 1)[torch.randperm(count, generator=generator)]
