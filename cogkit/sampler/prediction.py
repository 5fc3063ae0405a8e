"""v, x0 and noise: three names for one answer of the network, and the ways between them.

latents = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) noise;  v = sqrt(alpha_bar) noise - sqrt(1 - alpha_bar) x0.
Seen as a rotation by the angle whose cosine is sqrt(alpha_bar), (latents, v) is (x0, noise) turned.
Paper: arXiv:2202.00512, appendix D. Tensors of any shape; alpha_bar is one level or broadcasts against them.
"""

from jaxtyping import Float
from torch import Tensor

Array = Float[Tensor, "..."]


class PredictionError(ValueError):
    """The network's answer does not determine the clean latents."""


def add_noise(x0: Array, noise: Array, alpha_bar: Array) -> Array:
    """The latents that hold x0 at this level. Mirrors: CogVideoXDDIMScheduler.add_noise."""
    return alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * noise


def v_from_x0_noise(x0: Array, noise: Array, alpha_bar: Array) -> Array:
    """The training target. Mirrors: get_velocity(x0, noise, t).

    Trainers also call get_velocity(v, latents, t): by the symmetry of the rotation that returns x0.
    """
    return alpha_bar.sqrt() * noise - (1 - alpha_bar).sqrt() * x0


def x0_from_v(latents: Array, v: Array, alpha_bar: Array) -> Array:
    """The clean latents that v claims. At alpha_bar = 0 they are -v: from pure noise the network paints freely."""
    return alpha_bar.sqrt() * latents - (1 - alpha_bar).sqrt() * v


def noise_from_v(latents: Array, v: Array, alpha_bar: Array) -> Array:
    """The noise that v claims."""
    return (1 - alpha_bar).sqrt() * latents + alpha_bar.sqrt() * v


def x0_from_noise(latents: Array, noise: Array, alpha_bar: Array) -> Array:
    """The clean latents, given the noise in them. At alpha_bar = 0 there are none to find: infinite or nan."""
    return (latents - (1 - alpha_bar).sqrt() * noise) / alpha_bar.sqrt()


def x0_from(kind: str, latents: Array, answer: Array, alpha_bar: Array, as_released: bool = False) -> Array:
    """The clean latents from a network trained to answer with `kind`, diffusers' prediction_type.

    Raises PredictionError for an unknown kind, and for "epsilon" at alpha_bar = 0, where the released schedulers
    (`as_released`) divide by zero without a word.
    """
    if kind == "v_prediction":
        return x0_from_v(latents, answer, alpha_bar)
    if kind == "sample":
        return answer
    if kind != "epsilon":
        raise PredictionError(f"prediction_type={kind!r} is unknown; use v_prediction, sample or epsilon")
    if not as_released and not alpha_bar.all():
        raise PredictionError(
            "prediction_type='epsilon' cannot start at alpha_bar=0: noise predicted in pure noise says nothing about "
            "x0; use v_prediction, or a schedule without rescale_betas_zero_snr"
        )
    return x0_from_noise(latents, answer, alpha_bar)
