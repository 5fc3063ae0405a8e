"""What the sampler held at every step, recorded from outside: the pipeline stays stock and the video stays the same."""

from contextlib import contextmanager

import torch
import xarray as xr
from diffusers import CogVideoXPipeline


class Trajectory:
    """Grows while the pipeline runs. `dataset()` names the axes: step, latent frame, channel, y, x."""

    def __init__(self):
        self.latents: list[torch.Tensor] = []  # before the step, scaled, (t, c, h, w)
        self.x0: list[torch.Tensor] = []  # the clean latents that the step believes in
        self.train_timesteps: list[int] = []
        self.guidance: list[float] = []

    def dataset(self) -> xr.Dataset:
        axes = ("step", "latent_frame", "channel", "y", "x")
        return xr.Dataset(
            {
                "latents": (
                    axes,
                    torch.stack(self.latents).numpy(),
                    {"long_name": "noisy latents before the step, scaled"},
                ),
                "x0": (axes, torch.stack(self.x0).numpy(), {"long_name": "predicted clean latents, scaled"}),
                "guidance": ("step", self.guidance),
            },
            coords={"step": range(len(self.latents)), "train_timestep": ("step", self.train_timesteps)},
        )


@contextmanager
def record_trajectory(pipe: CogVideoXPipeline):
    """Within the block, every transformer call of `pipe` (one prompt at a time) adds a step to the yielded Trajectory.

    x0 = sqrt(alpha_bar) x - sqrt(1 - alpha_bar) v, with v after guidance, as the scheduler computes it. Guidance must
    be constant: the pipeline changes a dynamic one only after the transformer has answered.
    """
    trajectory = Trajectory()

    def note(transformer, arguments, inputs, output):
        timestep = int(inputs["timestep"][0])
        v, latents = output[0].float(), inputs["hidden_states"].float()
        guidance = 1.0
        if len(v) == 2:
            guidance = float(pipe.guidance_scale)
            v = v[:1] + guidance * (v[1:] - v[:1])
        alpha_bar = float(pipe.scheduler.alphas_cumprod[timestep])
        trajectory.latents.append(latents[0].cpu())
        trajectory.x0.append((alpha_bar**0.5 * latents[0] - (1 - alpha_bar) ** 0.5 * v[0]).cpu())
        trajectory.train_timesteps.append(timestep)
        trajectory.guidance.append(guidance)

    handle = pipe.transformer.register_forward_hook(note, with_kwargs=True)
    try:
        yield trajectory
    finally:
        handle.remove()
