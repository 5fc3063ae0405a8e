import pytest
import torch

from cogkit.sampler.ddim import ddim, ddim_step
from cogkit.sampler.prediction import add_noise
from cogkit.sampler.schedule import ScheduleError, cogvideox, spaced_timesteps

X0, NOISE = (torch.randn(1, 2, 3, 8, 8, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))


def test_with_the_true_x0_every_step_lands_on_the_true_path():
    schedule = cogvideox(3.0)
    for t, to in ((999, 749), (749, 249), (249, 0)):
        latents = add_noise(X0, NOISE, schedule.at(t))
        expected = add_noise(X0, NOISE, schedule.at(to))
        torch.testing.assert_close(ddim_step(latents, X0, schedule.at(t), schedule.at(to)), expected)


def test_from_pure_noise_the_step_is_finite_and_to_clean_it_is_x0():
    zero, one, half = torch.tensor(0.0), torch.tensor(1.0), torch.tensor(0.5)
    assert ddim_step(NOISE, X0, zero, half).isfinite().all()
    assert torch.equal(ddim_step(NOISE, X0, half, one), X0)


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_whatever_eta_is_the_noise_has_the_variance_of_the_next_level(eta):
    generator = torch.Generator().manual_seed(5)
    noise, fresh = (torch.randn(200_000, generator=generator, dtype=torch.float64) for _ in range(2))
    level, next_level = cogvideox().at(600), cogvideox().at(400)
    latents = add_noise(torch.zeros_like(noise), noise, level)
    stepped = ddim_step(latents, torch.zeros_like(noise), level, next_level, eta, fresh)
    assert float(stepped.var()) == pytest.approx(1 - float(next_level), rel=0.01)


def test_eta_1_is_the_posterior_of_ddpm():
    """mean = sqrt(a') b / (1 - ab) x0 + sqrt(a) (1 - ab') / (1 - ab) x, with a = ab / ab' and b = 1 - a."""
    ab, before = cogvideox().at(600), cogvideox().at(599)
    a = ab / before
    mean = before.sqrt() * (1 - a) / (1 - ab) * X0 + a.sqrt() * (1 - before) / (1 - ab) * NOISE
    torch.testing.assert_close(ddim_step(NOISE, X0, ab, before, 1.0, torch.zeros_like(NOISE)), mean)


@pytest.mark.parametrize("eta", [-0.1, 1.5])
def test_an_eta_that_leaves_no_room_is_refused(eta):
    one = torch.ones(1, 1, 1, 1, 1)
    with pytest.raises(ScheduleError, match=f"eta={eta} is .* use 0 .none. to 1 .DDPM."):
        ddim_step(one, one, torch.tensor(0.0), torch.tensor(0.5), eta, one)


def test_eta_changes_the_video_but_not_as_released():
    def end(**how):
        generator = torch.Generator().manual_seed(2)
        *_, last = ddim(lambda x, t: 0.5 * x, NOISE, cogvideox(), spaced_timesteps(5), generator=generator, **how)
        return last.next_latents

    assert not torch.equal(end(eta=1.0), end())
    assert torch.equal(end(eta=1.0, as_released=True), end())
