"""Show a pipeline latents of one's own choice: true clips under noise, one forward a noise level.

The pipeline runs as ever, and so does every instrument on it; only the scheduler does not listen to the model.
"""

from collections.abc import Sequence
from contextlib import contextmanager

import torch
from diffusers import CogVideoXDDIMScheduler
from torch import Tensor

from cogkit.shapes import Latents


class Shown(CogVideoXDDIMScheduler):
    """Answers every step with the next of `latents`, whatever the model said; its x0 is still the model's."""

    latents: Sequence[Tensor] = ()
    chosen: Sequence[int] = ()

    def set_timesteps(self, num_inference_steps: int, device=None) -> None:
        self.num_inference_steps = num_inference_steps
        self.timesteps = torch.tensor(self.chosen, device=device)

    def step(self, model_output: Tensor, timestep: int | Tensor, sample: Tensor, return_dict: bool = True):
        x0 = super().step(model_output, timestep, sample, return_dict=False)[1]
        following = list(self.chosen).index(int(timestep)) + 1
        return (self.latents[following].to(sample) if following < len(self.latents) else x0), x0


@contextmanager
def showing(pipe, latents: Sequence[Latents], train_timesteps: Sequence[int]):
    """Within the block, `call(prompt)` shows the pipeline `latents[k]` as what it holds at `train_timesteps[k]`.

    Without guidance, so a forward has the conditional branch alone. No timestep comes twice. To record the sampler
    too, enter `record` after this: it watches the scheduler that it finds.
    """
    scheduler = pipe.scheduler
    shown = Shown.from_config(scheduler.config)
    shown.latents, shown.chosen = latents, train_timesteps
    height, width, frames = latents[0].shape[-2], latents[0].shape[-1], latents[0].shape[1]

    def call(prompt):
        return pipe(
            prompt,
            latents=latents[0].to(pipe.transformer.dtype),
            num_inference_steps=len(train_timesteps),
            num_frames=(frames - 1) * pipe.vae_scale_factor_temporal + 1,
            height=height * pipe.vae_scale_factor_spatial,
            width=width * pipe.vae_scale_factor_spatial,
            max_sequence_length=pipe.transformer.config.max_text_seq_length,
            guidance_scale=1.0,
            output_type="latent",
        )

    pipe.scheduler = shown
    try:
        yield call
    finally:
        pipe.scheduler = scheduler


def noise_levels(pipe, x0: Latents, train_timesteps: Sequence[int], seed: int) -> list[Latents]:
    """The same clip under the same noise, more of it or less."""
    noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(seed))
    return [pipe.scheduler.add_noise(x0.float(), noise, torch.tensor([time])) for time in train_timesteps]
