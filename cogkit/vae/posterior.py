"""What the encoder says about a video: for every latent number a mean and a variance."""

import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from jaxtyping import Float
from torch import Tensor

from cogkit.vae.stream import Map


class Posterior(DiagonalGaussianDistribution):
    """A normal distribution for every latent number, independent of each other: N(mean, exp(logvar)).

    The log-variance is held between -30 and 20. diffusers' own, but for `kl`. Paper: section 2.1.
    """

    def __init__(self, moments: Map, as_released: bool = False):
        super().__init__(moments)
        self.as_released = as_released

    def kl(self) -> Float[Tensor, "b *rest"]:
        """Divergence from N(0, 1) in nats, one number for each video.

        As released, the sum was written for pictures and stops before the last axis: one number for each column.
        """
        axes = [1, 2, 3] if self.as_released else [1, 2, 3, 4]
        return 0.5 * torch.sum(self.mean**2 + self.var - 1.0 - self.logvar, dim=axes)
