"""What the encoder says about a video: for every latent number a mean and a variance."""

import torch
from diffusers.utils.torch_utils import randn_tensor
from jaxtyping import Float
from torch import Generator, Tensor

from cogkit.vae.stream import Map


class Posterior:
    """A normal distribution for every latent number, independent of each other: N(mean, exp(logvar)).

    The log-variance is held between -30 and 20. Paper: section 2.1. Mirrors: DiagonalGaussianDistribution.
    """

    def __init__(self, moments: Map, as_released: bool = False):
        self.parameters, self.as_released = moments, as_released
        self.mean, logvar = moments.chunk(2, dim=1)
        self.logvar = logvar.clamp(-30.0, 20.0)
        self.std, self.var = torch.exp(0.5 * self.logvar), torch.exp(self.logvar)

    def sample(self, generator: Generator | list[Generator] | None = None) -> Map:
        noise = randn_tensor(self.mean.shape, generator, device=self.mean.device, dtype=self.mean.dtype)
        return self.mean + self.std * noise

    def mode(self) -> Map:
        return self.mean

    def kl(self) -> Float[Tensor, "b *rest"]:
        """Divergence from N(0, 1) in nats, one number for each video.

        As released, the sum was written for pictures and stops before the last axis: one number for each column.
        """
        axes = [1, 2, 3] if self.as_released else [1, 2, 3, 4]
        return 0.5 * torch.sum(self.mean**2 + self.var - 1.0 - self.logvar, dim=axes)
