"""Prompt -> video, with the sampler's trajectory. Everything that can be refused is refused before the first step."""

import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from diffusers import CogVideoXDDIMScheduler, CogVideoXDPMScheduler, CogVideoXPipeline
from jaxtyping import Float

from cogkit.clips import Frames, to_frames
from cogkit.noise import NOISES, edit_noise, initial_noise
from cogkit.prompts import check_prompt
from cogkit.recording.record import record
from cogkit.recording.runs import Run
from cogkit.recording.selectors import trajectory
from cogkit.recording.trajectory import Trajectory
from cogkit.sampler.guidance import dynamic
from cogkit.shapes import Latents, check_frames, check_size

SAMPLERS = {"own": None, "ddim": CogVideoXDDIMScheduler, "dpm": CogVideoXDPMScheduler}
DYNAMIC = ("off", "as released", "as intended")


class SettingsError(ValueError):
    """A number of steps, a seed or a guidance scale that cannot work."""


@dataclass(frozen=True)
class Settings:
    """Everything that decides a video, besides the weights."""

    prompt: str
    negative_prompt: str = ""
    seed: int = 0
    frames: int = 17
    height: int = 128
    width: int = 128
    steps: int = 20
    guidance: float = 6.0
    sampler: str = "own"  # what the pipeline has, or "ddim" or "dpm" with its config
    dynamic_guidance: str = "off"  # or "as released", "as intended": cogkit/sampler/guidance.py
    noise: str = "as drawn"  # or an edit of the seed's: cogkit/noise.py


@dataclass(frozen=True)
class Generation:
    settings: Settings
    frames: Frames
    trajectory: Trajectory
    run: Run
    unknown_words: list[str]
    seconds: float


def check_steps(steps: int) -> None:
    """Refuse a number of steps that does not divide 1000.

    Both CogVideoX schedulers go back by 1000 // steps from timesteps that were rounded: other counts miss the ladder.
    """
    if steps < 1 or 1000 % steps:
        divisors = [n for n in range(1, 1001) if 1000 % n == 0]
        below, above = [n for n in divisors if n < steps] or [1], [n for n in divisors if n > steps] or [1000]
        near = f"{below[-1]} or {above[0]}" if below[-1] != above[0] else f"{above[0]}"
        raise SettingsError(f"steps={steps} does not divide 1000, so the schedulers would mis-step; use {near}")


def check_settings(pipe: CogVideoXPipeline, settings: Settings) -> list[str]:
    """Refuse settings that cannot work; returns the prompt's unknown words."""
    check_frames(settings.frames)
    check_size(settings.height, settings.width)
    check_steps(settings.steps)
    if not 0 <= settings.seed < 2**63:
        raise SettingsError(f"seed={settings.seed} is out of range; use a whole number from 0 to 2**63 - 1")
    if not 0 <= settings.guidance < 1000:
        raise SettingsError(f"guidance={settings.guidance} makes no sense; 1 turns it off, 3 to 9 are usual")
    for name, value, known in (
        ("sampler", settings.sampler, SAMPLERS),
        ("dynamic_guidance", settings.dynamic_guidance, DYNAMIC),
        ("noise", settings.noise, NOISES),
    ):
        if value not in known:
            raise SettingsError(f"{name}={value!r} is unknown; use one of {', '.join(known)}")
    return check_prompt(pipe, settings.prompt)


@contextmanager
def sampling(pipe: CogVideoXPipeline, settings: Settings):
    """Within the block, runs of `pipe` have the sampler and the rising guidance of the settings.

    As intended, the scale depends on the step; the stock pipeline reads it after the transformer's answer, so it is
    set as the transformer is called.
    """
    own, step, handle = pipe.scheduler, 0, None
    scale = dynamic(settings.guidance)

    def rise(transformer, inputs):
        nonlocal step
        pipe._guidance_scale = scale(step, settings.steps, int(pipe._current_timestep))
        step += 1

    try:
        if kind := SAMPLERS[settings.sampler]:
            pipe.scheduler = kind.from_config(own.config)
        if settings.dynamic_guidance == "as intended" and settings.guidance > 1:  # below, nothing is guided
            handle = pipe.transformer.register_forward_pre_hook(rise)
        yield
    finally:
        pipe.scheduler = own
        if handle:
            handle.remove()


@torch.no_grad()
def generate(
    pipe: CogVideoXPipeline,
    settings: Settings,
    *selectors,
    steps: str | Iterable[int] = "all",
    on_step: Callable[[int], None] | None = None,
) -> Generation:
    """Run the stock pipeline and keep what the sampler saw, and what more `selectors` (maps, acts) ask for, in `run`.

    The same settings give the same video, whatever is recorded. `steps` are those whose latents are kept.
    `on_step(step)` is called after every step; what it raises stops the run and leaves the pipeline as it was.
    """

    def told(pipe, step, train_timestep, tensors):
        on_step(step)
        return tensors

    unknown = check_settings(pipe, settings)
    since = time.monotonic()
    generator = torch.Generator().manual_seed(settings.seed)
    with sampling(pipe, settings), record(pipe, trajectory(steps=steps), *selectors) as recording:
        video = pipe(
            settings.prompt,
            negative_prompt=settings.negative_prompt,
            num_frames=settings.frames,
            height=settings.height,
            width=settings.width,
            num_inference_steps=settings.steps,
            guidance_scale=settings.guidance,
            use_dynamic_cfg=settings.dynamic_guidance == "as released",
            callback_on_step_end=told if on_step else None,
            latents=_edited_noise(pipe, settings, generator),
            generator=generator,
            output_type="pt",
        ).frames  # (1, F, c, H, W) in [0, 1]
    frames = to_frames(video.transpose(1, 2) * 2 - 1)[0]
    seconds = time.monotonic() - since
    return Generation(settings, frames, Trajectory(recording), recording.run, unknown, seconds)


def _edited_noise(pipe: CogVideoXPipeline, settings: Settings, generator: torch.Generator) -> Latents | None:
    """None, if the pipeline can draw it itself. The `generator` goes on where the draw left it, as it would there."""
    if settings.noise == "as drawn":
        return None
    size = (settings.frames, settings.height, settings.width)
    other = torch.Generator().manual_seed(settings.seed + 1)
    return edit_noise(initial_noise(pipe, *size, generator), settings.noise, initial_noise(pipe, *size, other))


@torch.no_grad()
def decode(pipe: CogVideoXPipeline, latents: Float[torch.Tensor, "t c h w"]) -> Frames:
    """Scaled latents -> frames: what a step of the trajectory would look like."""
    return to_frames(pipe.decode_latents(latents[None].to(pipe._execution_device, pipe.vae.dtype)))[0]


@torch.no_grad()
def estimate_seconds(pipe: CogVideoXPipeline, settings: Settings, *selectors) -> float:
    """How long `generate` will take here, from one timed step and one timed decoding (which also warm it up).

    The step is recorded as the run will be; if `selectors` skip steps, that is an upper bound.
    """

    def seconds(output_type: str) -> float:
        since = time.monotonic()
        with record(pipe, trajectory(), *selectors):
            pipe(
                settings.prompt,
                num_frames=settings.frames,
                height=settings.height,
                width=settings.width,
                num_inference_steps=1,
                guidance_scale=settings.guidance,
                output_type=output_type,
            )
        return time.monotonic() - since

    seconds("latent")
    step = seconds("latent")
    return step * settings.steps + max(0.0, seconds("pt") - step)
