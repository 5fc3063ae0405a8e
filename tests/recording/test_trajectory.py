"""What the sampler held, against the scheduler that moved it."""

import diffusers
import numpy as np
import pytest

import cogkit


@pytest.mark.parametrize("kind", [diffusers.CogVideoXDDIMScheduler, diffusers.CogVideoXDPMScheduler])
def test_sigma_is_the_schedulers_own_and_what_its_step_reckoned_with(tiny_pipe, generate, kind):
    pipe = tiny_pipe(scheduler=kind.__name__)
    with cogkit.record(pipe, cogkit.trajectory(model_output=True)) as rec:
        generate(pipe, num_inference_steps=5)
    held = rec.run["trajectory"]
    assert held.train_timestep.values.tolist() == [999, 799, 599, 399, 199]
    alpha_bar = kind.from_config(pipe.scheduler.config).alphas_cumprod[held.train_timestep.values]
    np.testing.assert_allclose(held.sigma, (1 - alpha_bar).sqrt(), rtol=1e-6)
    assert held.sigma[0] == 1  # zero terminal SNR: nothing but noise
    x0 = held.alpha_bar**0.5 * held.latents - held.sigma * held.model_output  # v-prediction
    np.testing.assert_allclose(held.x0, x0.transpose(*held.x0.dims), atol=1e-5)
