"""What the sampler held at every step: `record` with one selector, as lists of tensors for those who want to decode."""

import torch
import xarray as xr

from cogkit.recording.record import Recording


class Trajectory:
    """`dataset()` names the axes: step, latent frame, channel, y, x. The lists have one entry a step, of one sample."""

    def __init__(self, recording: Recording):
        self._recording = recording

    def dataset(self) -> xr.Dataset:
        return self._recording.run["trajectory"]

    @property
    def latents(self) -> list[torch.Tensor]:
        """Before the step, scaled."""
        return self._steps("latents")

    @property
    def x0(self) -> list[torch.Tensor]:
        """The clean latents that the step believes in."""
        return self._steps("x0")

    @property
    def train_timesteps(self) -> list[int]:
        return self.dataset().train_timestep.values.tolist()

    @property
    def guidance(self) -> list[float]:
        return self.dataset().guidance.values.tolist()

    def _steps(self, name: str) -> list[torch.Tensor]:
        return [torch.from_numpy(values) for values in self.dataset()[name].values]
