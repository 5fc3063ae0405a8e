"""Sixteen channels, three colours: the directions in which latents vary most, as red, green and blue."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8


class Principal(NamedTuple):
    """`principal(latents)`: (t, c, h, w) -> frames (t, h, w, 3); the same numbers get the same colour at every step."""

    mean: Float[np.ndarray, "c"]
    directions: Float[np.ndarray, "c c"]
    shares: Float[np.ndarray, "c"]  # of the variance, falling
    spread: Float[np.ndarray, "3"]

    def __call__(self, latents: Float[np.ndarray, "t c h w"]) -> UInt8[np.ndarray, "t h w 3"]:
        along = (np.moveaxis(np.asarray(latents), 1, -1) - self.mean) @ self.directions[:, :3]
        return ((0.5 + along / (5 * self.spread)).clip(0, 1) * 255).round().astype(np.uint8)


def fit_principal(latents: Float[np.ndarray, "t c h w"]) -> Principal:
    """PCA over all latent pixels. A direction's sign is free: it points where its largest weight is positive."""
    flat = np.moveaxis(latents, 1, -1).reshape(-1, latents.shape[1]).astype(np.float64)
    variance, directions = np.linalg.eigh(np.cov(flat.T, bias=True))
    variance, directions = variance[::-1].clip(0), directions[:, ::-1]
    signs = np.sign(directions[np.abs(directions).argmax(0), range(len(variance))])
    spread = np.sqrt(variance[:3]) + 1e-6
    return Principal(flat.mean(0), directions * signs, variance / (variance.sum() or 1), spread)
