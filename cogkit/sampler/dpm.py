"""CogVideoX's DPM: DPM-Solver++(2M), the stochastic kind. Two guesses of x0 make a better one; new noise each step."""

from collections.abc import Iterator, Sequence

import torch

from cogkit.sampler.guidance import Guidance
from cogkit.sampler.loop import Denoise, Step, fresh_noise, sample
from cogkit.sampler.prediction import Array
from cogkit.sampler.schedule import CLEAN, Level, Schedule
from cogkit.shapes import Latents


def log_snr(level: Level) -> Level:
    """The papers' lambda, ln sqrt(alpha_bar / (1 - alpha_bar)): minus infinity for pure noise, infinity for clean."""
    return ((level / (1 - level)) ** 0.5).log()


def dpm_step(
    latents: Array,
    x0: Array,
    level: Level,
    next_level: Level,
    noise: Array,
    before_x0: Array | None = None,
    before_level: Level | None = None,
) -> Array:
    """Move `latents` from alpha_bar `level` to `next_level`, extrapolating x0 from this guess and the one before.

    Without the one before (the first step, and the last by convention) it is first order. Pure noise and clean latents
    need no special case: every infinite log SNR ends in an exact 0 or 1.
    Paper: DPM-Solver++ (arXiv:2211.01095), SDE-DPM-Solver++(2M). Mirrors: CogVideoXDPMScheduler.step.
    """
    h = log_snr(next_level) - log_snr(level)
    keep = ((1 - next_level) / (1 - level)) ** 0.5 * (-h).exp()
    take = (-2 * h).expm1() * next_level**0.5  # negative: x0 is subtracted below, as released
    spread = (1 - next_level) ** 0.5 * (1 - (-2 * h).exp()) ** 0.5
    if before_x0 is not None:
        r = (log_snr(level) - log_snr(before_level)) / h
        x0 = (1 + 1 / (2 * r)) * x0 - 1 / (2 * r) * before_x0
    return keep * latents - take * x0 + spread * noise


def dpm(
    denoise: Denoise,
    latents: Latents,
    schedule: Schedule,
    timesteps: Sequence[int],
    guidance: Guidance | None = None,
    generator: torch.Generator | None = None,
    as_released: bool = False,
) -> Iterator[Step]:
    """Yield the Steps from pure noise to a video's latents; see `sample`.

    Draws noise twice in a second-order step and uses the second draw, as CogVideoXDPMScheduler does: so a seed gives
    the same video in both.
    """

    def advance(before, latents, x0, level, next_level, to):
        noise = fresh_noise(latents, generator)
        if before is None or to == CLEAN:
            return dpm_step(latents, x0, level, next_level, noise)
        noise, before_level = fresh_noise(latents, generator), schedule.alpha_bar[before.train_timestep]
        return dpm_step(latents, x0, level, next_level, noise, before.x0, before_level)

    return sample(denoise, latents, schedule, timesteps, advance, guidance, as_released)
