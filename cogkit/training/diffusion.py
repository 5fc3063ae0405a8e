"""Noise, v and the schedule, as training needs them."""

from typing import NamedTuple

from diffusers import CogVideoXDDIMScheduler
from jaxtyping import Float, Int
from torch import Tensor

from cogkit.shapes import Latents


def new_scheduler() -> CogVideoXDDIMScheduler:
    """The schedule of CogVideoX-5B: scaled-linear betas, zero terminal SNR, no shift, v-prediction, trailing steps."""
    return CogVideoXDDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=True,
        prediction_type="v_prediction",
        snr_shift_scale=1.0,
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
    )


class Noised(NamedTuple):
    latents: Latents
    v: Latents  # sqrt(alpha_bar) * noise - sqrt(1 - alpha_bar) * x0


def add_noise(
    x0: Latents, noise: Latents, train_timestep: Int[Tensor, "b"], alpha_bars: Float[Tensor, "1000"]
) -> Noised:
    """Mix noise into clean latents and say what the network should answer. At 999 only noise is left: v = -x0."""
    alpha_bar = alpha_bars.to(x0.dtype)[train_timestep].view(
        -1, 1, 1, 1, 1
    )  # float64 in the scheduler: cast before mixing
    signal, spread = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    return Noised(signal * x0 + spread * noise, signal * noise - spread * x0)
