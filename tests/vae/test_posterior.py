import pytest
import torch
from torch.distributions import Normal, kl_divergence

from cogkit.vae.posterior import Posterior

MOMENTS = torch.randn(2, 6, 2, 3, 4, generator=torch.Generator().manual_seed(0))


def test_its_divergence_is_that_of_two_normal_distributions_one_number_a_video():
    posterior = Posterior(MOMENTS)
    wanted = kl_divergence(Normal(posterior.mean, posterior.std), Normal(0.0, 1.0)).sum((1, 2, 3, 4))
    torch.testing.assert_close(posterior.kl(), wanted)


def test_samples_scatter_around_the_mean_by_std_and_a_seed_repeats_them():
    posterior = Posterior(MOMENTS)
    draws = torch.stack([posterior.sample(torch.Generator().manual_seed(k)) for k in range(500)])
    assert ((draws.mean(0) - posterior.mode()) / posterior.std).abs().max() < 5 / 500**0.5
    assert ((draws.std(0) / posterior.std) - 1).abs().max() < 0.2
    assert torch.equal(draws[3], posterior.sample(torch.Generator().manual_seed(3)))


@pytest.mark.parametrize(("logvar", "held"), [(-100.0, -30.0), (100.0, 20.0)])
def test_the_log_variance_is_held(logvar, held):
    assert (Posterior(torch.full((1, 2, 1, 1, 1), logvar)).logvar == held).all()
