"""What the encoder says about a video: for every latent number a mean and a variance."""

import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from jaxtyping import Float
from torch import Tensor

from cogkit.vae.stream import Map


class Posterior(DiagonalGaussianDistribution):
    """A normal distribution for every latent number, independent of each other: N(mean, exp(logvar)).

    The log-variance is held between -30 and 20. diffusers' own, but for `kl` and `nll`. Paper: section 2.1.
    """

    def __init__(self, moments: Map, as_released: bool = False):
        super().__init__(moments)
        self.as_released = as_released

    def kl(self, other: DiagonalGaussianDistribution | None = None) -> Float[Tensor, "b *rest"]:
        """Divergence from `other`, or from N(0, 1), in nats, one number for each video.

        As released, the sum was written for pictures and stops before the last axis: one number for each column.
        """
        other = other or DiagonalGaussianDistribution(torch.zeros_like(self.parameters))
        away = (self.mean - other.mean) ** 2 / other.var + self.var / other.var
        return 0.5 * torch.sum(away - 1.0 - self.logvar + other.logvar, dim=self._axes)

    def nll(self, sample: Map, dims: list[int] | None = None) -> Float[Tensor, "b *rest"]:
        """Minus the log-density of `sample` in nats, one number for each video; as released, see `kl`."""
        return super().nll(sample, self._axes if dims is None else dims)

    @property
    def _axes(self) -> list[int]:
        return [1, 2, 3] if self.as_released else [1, 2, 3, 4]
