"""DDIM: straight towards the clean latents that v claims. Deterministic, unless eta asks for noise."""

from collections.abc import Iterator, Sequence

import torch

from cogkit.sampler.guidance import Guidance
from cogkit.sampler.loop import Denoise, Step, fresh_noise, sample
from cogkit.sampler.prediction import Array
from cogkit.sampler.schedule import Level, Schedule, ScheduleError
from cogkit.shapes import Latents


def ddim_step(
    latents: Array, x0: Array, level: Level, next_level: Level, eta: int | float = 0.0, noise: Array | None = None
) -> Array:
    """Move `latents` from alpha_bar `level` to `next_level`, with x0 fixed.

    Paper: arXiv:2010.02502, equation 12, with the predicted noise as (latents - sqrt(level) x0) / sqrt(1 - level),
    so it stays finite at level 0. `eta` is the paper's: 0 adds no noise, 1 as much as DDPM; then `noise` is needed.
    Raises ScheduleError. Mirrors: CogVideoXDDIMScheduler.step, which takes eta and ignores it.
    """
    if not 0 <= eta <= 1:
        raise ScheduleError(
            f"eta={eta} is more noise than there is room for, or less than none; use 0 (none) to 1 (DDPM)"
        )
    variance = eta**2 * (1 - next_level) / (1 - level) * (1 - level / next_level)  # sigma squared, equation 16
    keep = ((1 - next_level - variance) / (1 - level)) ** 0.5
    stepped = keep * latents + (next_level**0.5 - level**0.5 * keep) * x0
    return stepped if eta == 0 else stepped + variance**0.5 * noise


def ddim(
    denoise: Denoise,
    latents: Latents,
    schedule: Schedule,
    timesteps: Sequence[int],
    guidance: Guidance | None = None,
    eta: int | float = 0.0,
    generator: torch.Generator | None = None,
    as_released: bool = False,
) -> Iterator[Step]:
    """Yield the Steps from pure noise to a video's latents; see `sample`. `generator` draws what eta > 0 adds."""
    eta = 0.0 if as_released else eta

    def advance(before, latents, x0, level, next_level, to):
        noise = fresh_noise(latents, generator) if eta else None
        return ddim_step(latents, x0, level, next_level, eta, noise)

    return sample(denoise, latents, schedule, timesteps, advance, guidance, as_released)
