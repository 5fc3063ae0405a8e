import pytest
import torch
from diffusers import CogVideoXDDIMScheduler, CogVideoXDPMScheduler, DDPMScheduler

from cogkit.sampler.schedule import ScheduleError
from cogkit.swapping import scheduler_twin

CONFIG = {
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
    "snr_shift_scale": 1.0,
}
SHAPE = (1, 2, 3, 4, 4)


def first_step(twin, **how):
    twin.set_timesteps(7)
    v, latents = torch.ones(SHAPE), torch.zeros(SHAPE)
    before = (None, twin.timesteps[0], None) if isinstance(twin, CogVideoXDPMScheduler) else (twin.timesteps[0],)
    return twin.step(v, *before, latents, generator=torch.Generator().manual_seed(0), **how)


@pytest.mark.parametrize("stock", [CogVideoXDDIMScheduler, CogVideoXDPMScheduler])
@pytest.mark.parametrize("steps", [7, 30, 60, 61])
def test_the_last_step_ends_clean_for_every_number_of_steps(stock, steps):
    twin = scheduler_twin(stock(**CONFIG))
    twin.set_timesteps(steps)
    back, t = twin.timesteps[-2:]
    before = (torch.rand(SHAPE), t, back) if stock is CogVideoXDPMScheduler else (t,)
    latents, x0 = twin.step(torch.ones(SHAPE), *before, torch.rand(SHAPE), return_dict=False)
    assert torch.equal(latents, x0)


def test_a_pipeline_that_starts_late_still_lands_on_the_rungs():
    """Video-to-video skips the first timesteps: the rung below is found by value, not by counting."""
    twin = scheduler_twin(CogVideoXDDIMScheduler(**CONFIG))
    twin.set_timesteps(7)
    assert twin._before_and_after(torch.tensor(570))[2] == 428


def test_eta_is_heard_but_not_as_released():
    stock = CogVideoXDDIMScheduler(**CONFIG)
    quiet, noisy = (first_step(scheduler_twin(stock), eta=eta).prev_sample for eta in (0.0, 1.0))
    assert not torch.equal(quiet, noisy)
    deaf = first_step(scheduler_twin(stock, as_released=True), eta=1.0).prev_sample
    assert torch.equal(deaf, first_step(scheduler_twin(stock, as_released=True)).prev_sample)


def test_the_noise_of_eta_may_be_given():
    twin = scheduler_twin(CogVideoXDDIMScheduler(**CONFIG))
    noise = torch.full(SHAPE, 2.0)
    given = first_step(twin, eta=1.0, variance_noise=noise).prev_sample
    none = first_step(twin, eta=1.0, variance_noise=torch.zeros(SHAPE)).prev_sample
    assert ((given - none) > 0).all()


def test_return_dict_is_heard_but_not_in_the_first_dpm_step_as_released():
    stock = CogVideoXDPMScheduler(**CONFIG)
    assert first_step(scheduler_twin(stock), return_dict=True).prev_sample.shape == SHAPE
    assert isinstance(first_step(scheduler_twin(stock, as_released=True), return_dict=True), tuple)


def test_another_scheduler_is_refused():
    with pytest.raises(ScheduleError, match="DDPMScheduler has no twin; use CogVideoXDDIMScheduler or"):
        scheduler_twin(DDPMScheduler())


def test_a_step_before_the_number_of_steps_is_known_is_refused():
    twin = scheduler_twin(CogVideoXDDIMScheduler(**CONFIG))
    with pytest.raises(ScheduleError, match="call set_timesteps"):
        twin.step(torch.ones(SHAPE), 999, torch.ones(SHAPE))


@pytest.mark.parametrize("stock", [CogVideoXDDIMScheduler, CogVideoXDPMScheduler])
def test_a_saved_twin_is_an_ordinary_scheduler(stock, tmp_path):
    scheduler_twin(stock(**CONFIG)).save_pretrained(tmp_path / "twin")
    stock(**CONFIG).save_pretrained(tmp_path / "stock")
    ours, theirs = ((tmp_path / kind / "scheduler_config.json").read_text() for kind in ("twin", "stock"))
    assert ours == theirs
