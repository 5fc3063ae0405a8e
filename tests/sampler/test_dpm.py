import pytest
import torch

from cogkit.sampler import dpm as module
from cogkit.sampler.dpm import dpm, dpm_step, log_snr
from cogkit.sampler.prediction import add_noise
from cogkit.sampler.schedule import Schedule, cogvideox, spaced_timesteps

X0, NOISE = (torch.randn(1, 2, 3, 8, 8, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
ZERO, ONE, HALF = torch.tensor(0.0), torch.tensor(1.0), torch.tensor(0.5)


def test_log_snr_is_infinite_at_both_ends_and_0_in_the_middle():
    assert [float(log_snr(level)) for level in (ZERO, HALF, ONE)] == [-float("inf"), 0, float("inf")]


def test_a_step_from_pure_noise_puts_fresh_noise_on_x0_and_one_to_clean_is_x0():
    fresh = torch.randn_like(NOISE)
    torch.testing.assert_close(dpm_step(NOISE, X0, ZERO, HALF, fresh), add_noise(X0, fresh, HALF))
    assert torch.equal(dpm_step(NOISE, X0, HALF, ONE, fresh), X0)


def test_after_pure_noise_the_first_guess_counts_for_nothing():
    fresh, level = torch.randn_like(NOISE), torch.tensor(0.2)
    first = dpm_step(NOISE, X0, level, HALF, fresh)
    second = dpm_step(NOISE, X0, level, HALF, fresh, before_x0=100 * NOISE, before_level=ZERO)
    assert torch.equal(first, second)


def test_the_noise_has_the_variance_of_the_next_level():
    generator = torch.Generator().manual_seed(5)
    noise, fresh = (torch.randn(200_000, generator=generator, dtype=torch.float64) for _ in range(2))
    level, next_level = cogvideox().at(600), cogvideox().at(400)
    latents = add_noise(torch.zeros_like(noise), noise, level)
    stepped = dpm_step(latents, torch.zeros_like(noise), level, next_level, fresh)
    assert float(stepped.var()) == pytest.approx(1 - float(next_level), rel=0.01)


def test_an_unchanged_guess_is_extrapolated_to_itself():
    fresh, levels = torch.randn_like(NOISE), (torch.tensor(0.3), torch.tensor(0.6))
    first = dpm_step(NOISE, X0, *levels, fresh)
    second = dpm_step(NOISE, X0, *levels, fresh, before_x0=X0, before_level=torch.tensor(0.1))
    torch.testing.assert_close(first, second)


def test_second_order_comes_closer_than_first_order_on_a_smooth_path():
    """x0 drifts linearly in log SNR: the extrapolated guess is the exact one at the middle of the step."""
    schedule = cogvideox()
    before, level, next_level = (schedule.at(t) for t in (700, 600, 500))
    guess = {float(at): X0 + float(log_snr(at)) * NOISE for at in (before, level)}
    middle = X0 + float(log_snr(level) + log_snr(next_level)) / 2 * NOISE
    quiet = torch.zeros_like(NOISE)
    exact = dpm_step(NOISE, middle, level, next_level, quiet)
    second = dpm_step(NOISE, guess[float(level)], level, next_level, quiet, guess[float(before)], before)
    first = dpm_step(NOISE, guess[float(level)], level, next_level, quiet)
    assert (second - exact).abs().max() < 1e-5 < (first - exact).abs().max()


def test_first_order_are_the_first_step_and_the_one_to_clean_whatever_level_another_one_goes_to(monkeypatch):
    """A first-order step draws noise once, the others twice. Here timestep 0 and the end have the same level."""
    draws, counts = [], []
    monkeypatch.setattr(module, "fresh_noise", lambda like, _: draws.append(like) or torch.zeros_like(like))
    alpha_bar = cogvideox().alpha_bar
    for _ in dpm(lambda x, t: 0.5 * x, NOISE, Schedule(alpha_bar, alpha_bar[0]), [999, 500, 0]):
        counts.append(len(draws))
        draws.clear()
    assert counts == [1, 2, 1]


def test_a_seed_decides_the_video():
    def end(seed):
        generator = torch.Generator().manual_seed(seed)
        *_, last = dpm(lambda x, t: 0.5 * x, NOISE, cogvideox(), spaced_timesteps(5), generator=generator)
        return last.next_latents

    assert torch.equal(end(1), end(1)) and not torch.equal(end(1), end(2))
