"""Errors in units of their usual size: what is impossible to know must not drown what can be learnt.

From pure noise nobody can tell where a thing is, so the error at timestep 999 stays large for any model, and drowns
that of the middle, where shapes are decided. Divided by what is usual at their noise level, errors count as in a
likelihood with one variance per level (Kendall et al., 2018, arXiv 1705.07115; learned per noise level in EDM2,
Karras et al., 2024, arXiv 2312.02696). Timesteps stay uniform; here the usual is a running mean, not learned.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

LEVELS = 20  # equal stretches of timesteps
MEMORY = 0.98  # what is kept of the past, per step


class UsualError(nn.Module):
    """The weight of clips at their timesteps, from all errors shown so far. Its memory is part of a checkpoint."""

    def __init__(self, train_timesteps: int = 1000):
        super().__init__()
        self.train_timesteps = train_timesteps
        self.register_buffer("total", torch.zeros(LEVELS))
        self.register_buffer("clips", torch.zeros(LEVELS))

    @torch.no_grad()
    def weights(self, errors: Float[Tensor, "b"], train_timestep: Int[Tensor, "b"]) -> Float[Tensor, "b"]:
        """One over the usual error at each timestep, scaled so that the usual loss stays what it would be without."""
        level = train_timestep * LEVELS // self.train_timesteps
        self.total.mul_(MEMORY).index_add_(0, level, errors.float())
        self.clips.mul_(MEMORY).index_add_(0, level, torch.ones_like(errors))
        seen = self.clips > 0
        usual = self.total[seen] / self.clips[seen]
        weight = torch.zeros(LEVELS)
        weight[seen] = usual.mean() / usual
        return weight[level]
