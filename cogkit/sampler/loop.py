"""The loop that every sampler shares: ask the network, step, tell everything, repeat."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cogkit.sampler.guidance import Guidance, guide
from cogkit.sampler.prediction import noise_from_v, x0_from_v
from cogkit.sampler.schedule import Level, Schedule, next_timestep
from cogkit.shapes import Latents

# (latents, train_timestep) -> v, or the pair to guide
Denoise = Callable[[Tensor, int], Tensor | tuple[Tensor, Tensor]]


class DenoiseError(ValueError):
    """The denoise callable and the guidance do not fit together."""


@dataclass(frozen=True)
class Step:
    """Everything that one step knew. Start from float32 latents to keep it in float32, whatever the network runs in."""

    step: int  # 0 .. steps-1
    train_timestep: int  # 0 .. 999, what the network was told
    next_timestep: int  # where the step went; -1 is clean
    alpha_bar: float  # the level of `latents`
    next_alpha_bar: float  # the level of `next_latents`
    guidance: float | None  # the scale used; None without guidance
    latents: Latents  # what the network saw
    v: Latents  # its answer, after guidance
    v_uncond: Latents | None  # its answer to the empty prompt, if guided
    v_text: Latents | None  # its answer to the prompt, if guided
    x0: Latents  # the clean latents that v claims
    noise: Latents  # the noise that v claims
    next_latents: Latents  # what the following step starts from


# The sampler: (previous step, latents, x0, level, next level, next timestep) -> next latents
Advance = Callable[[Step | None, Latents, Latents, Level, Level, int], Latents]


def sample(
    denoise: Denoise,
    latents: Latents,
    schedule: Schedule,
    timesteps: Sequence[int],
    advance: Advance,
    guidance: Guidance | None = None,
    as_released: bool = False,
) -> Iterator[Step]:
    """Yield one Step per timestep; `advance` is the sampler.

    `denoise` answers (v_uncond, v_text) if there is `guidance`, else v. The caller keeps, plots, or stops by `break`.
    Raises DenoiseError. Mirrors: the denoising loop of CogVideoXPipeline.__call__.
    """
    steps, before = len(timesteps), None
    for step, t in enumerate(timesteps):
        to = next_timestep(t, timesteps, len(schedule.alpha_bar), steps if as_released else None)
        level, next_level = schedule.alpha_bar[t], schedule.at(to)
        answer = denoise(latents, t)
        if isinstance(answer, tuple) != (guidance is not None):
            found = "a pair, but there is no" if guidance is None else "one v, but there is a"
            raise DenoiseError(
                f"denoise answered {found} guidance; a pair (v_uncond, v_text) needs a guidance, one v guidance=None"
            )
        scale, (v_uncond, v_text), v = None, (None, None), answer
        if guidance is not None:
            scale, (v_uncond, v_text) = guidance(step, steps, t), answer
            v = guide(v_uncond, v_text, scale)
        x0, noise = x0_from_v(latents, v, level), noise_from_v(latents, v, level)
        next_latents = advance(before, latents, x0, level, next_level, to)
        levels = float(level), float(next_level)
        before = Step(step, t, to, *levels, scale, latents, v, v_uncond, v_text, x0, noise, next_latents)
        yield before
        latents = next_latents


def fresh_noise(like: Latents, generator: torch.Generator | None) -> Latents:
    """Gaussian noise, drawn where the generator lives: a CPU seed means the same everywhere. Mirrors: randn_tensor."""
    device = like.device if generator is None else generator.device
    return torch.randn(like.shape, generator=generator, device=device, dtype=like.dtype).to(like.device)
