"""The samplers as diffusers schedulers, to stand in `pipe.scheduler`; the arithmetic of a step is in other files."""

import torch
from diffusers import CogVideoXDDIMScheduler, CogVideoXDPMScheduler
from diffusers.schedulers.scheduling_ddim_cogvideox import DDIMSchedulerOutput
from diffusers.utils.torch_utils import randn_tensor

from cogkit.sampler.ddim import ddim_step
from cogkit.sampler.dpm import dpm_step
from cogkit.sampler.prediction import x0_from
from cogkit.sampler.schedule import Level, Schedule, ScheduleError, next_timestep, spaced_timesteps
from cogkit.twin import Twin


class SchedulerTwin(Twin):
    """What both twins share. They subclass what they mirror: pipelines choose how to call a scheduler by its class."""

    @classmethod
    def from_stock(cls, scheduler, as_released: bool = False):
        """The twin with the config of a diffusers scheduler. `as_released` keeps the faults (docs/quirks.md)."""
        twin = cls.with_config_of(scheduler)
        twin.as_released = as_released
        schedule = Schedule.from_config(scheduler.config)
        twin.alphas_cumprod, twin.final_alpha_cumprod = schedule.alpha_bar, schedule.final
        return twin

    def set_timesteps(self, num_inference_steps: int, device: str | torch.device | None = None) -> None:
        c, self.num_inference_steps = self.config, num_inference_steps
        how = c.timestep_spacing, c.num_train_timesteps, c.steps_offset, self.as_released
        self._ladder = spaced_timesteps(num_inference_steps, *how)
        self.timesteps = torch.tensor(self._ladder).to(device)

    def _before_and_after(self, timestep) -> tuple[Level, Level, int]:
        if self.num_inference_steps is None:
            raise ScheduleError("the number of steps is unknown; call set_timesteps(steps) first")
        t, steps = int(timestep), self.num_inference_steps if self.as_released else None
        to = next_timestep(t, self._ladder, self.config.num_train_timesteps, steps)
        return self.alphas_cumprod[t], self.alphas_cumprod[to] if to >= 0 else self.final_alpha_cumprod, to


class DDIM(SchedulerTwin, CogVideoXDDIMScheduler):
    """Mirrors: CogVideoXDDIMScheduler. As released, `eta` and `variance_noise` are accepted and ignored."""

    stock = CogVideoXDDIMScheduler

    def step(self, model_output, timestep, sample, eta=0.0, use_clipped_model_output=False, generator=None,
             variance_noise=None, return_dict=True):  # fmt: skip
        level, next_level, _ = self._before_and_after(timestep)
        x0 = x0_from(self.config.prediction_type, sample, model_output, level, self.as_released)
        eta = 0.0 if self.as_released else eta
        if eta and variance_noise is None:
            variance_noise = randn_tensor(sample.shape, generator, sample.device, sample.dtype)
        stepped = ddim_step(sample, x0, level, next_level, eta, variance_noise)
        return DDIMSchedulerOutput(stepped, x0) if return_dict else (stepped, x0)


class DPM(SchedulerTwin, CogVideoXDPMScheduler):
    """Mirrors: CogVideoXDPMScheduler. `eta` is accepted because pipelines pass it; DPM always adds its noise.

    As released, `return_dict=True` is ignored in first-order steps.
    """

    stock = CogVideoXDPMScheduler

    def step(self, model_output, old_pred_original_sample, timestep, timestep_back, sample, eta=0.0,
             use_clipped_model_output=False, generator=None, variance_noise=None, return_dict=False):  # fmt: skip
        level, next_level, to = self._before_and_after(timestep)
        x0 = x0_from(self.config.prediction_type, sample, model_output, level, self.as_released)
        noise, before = randn_tensor(sample.shape, generator, sample.device, sample.dtype), (None, None)
        first_order = old_pred_original_sample is None or to < 0
        if not first_order:  # a second draw, and the first unused, as released: so a seed means the same video
            noise = randn_tensor(sample.shape, generator, sample.device, sample.dtype)
            before = old_pred_original_sample, self.alphas_cumprod[int(timestep_back)]
        stepped = dpm_step(sample, x0, level, next_level, noise, *before)
        if not return_dict or (self.as_released and first_order):
            return stepped, x0
        return DDIMSchedulerOutput(stepped, x0)
