import pytest
import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch.distributions import Normal, kl_divergence

from cogkit.vae.posterior import Posterior

MOMENTS = torch.randn(2, 6, 2, 3, 4, generator=torch.Generator().manual_seed(0))


def test_its_divergence_is_that_of_two_normal_distributions_one_number_a_video():
    posterior = Posterior(MOMENTS)
    wanted = kl_divergence(Normal(posterior.mean, posterior.std), Normal(0.0, 1.0)).sum((1, 2, 3, 4))
    torch.testing.assert_close(posterior.kl(), wanted)


def test_so_is_the_divergence_from_another_one_and_the_density_of_a_video():
    posterior, other = Posterior(MOMENTS), Posterior(MOMENTS.flip(0) / 2)
    normal, far = Normal(posterior.mean, posterior.std), Normal(other.mean, other.std)
    torch.testing.assert_close(posterior.kl(other), kl_divergence(normal, far).sum((1, 2, 3, 4)))
    torch.testing.assert_close(posterior.nll(other.mean), -normal.log_prob(other.mean).sum((1, 2, 3, 4)))


def test_as_released_both_stop_before_the_last_axis():
    posterior, other = Posterior(MOMENTS, as_released=True), DiagonalGaussianDistribution(MOMENTS.flip(0))
    stock = DiagonalGaussianDistribution(MOMENTS)
    assert torch.equal(posterior.kl(), stock.kl()) and stock.kl().shape == (2, 4)
    assert torch.equal(posterior.kl(other), stock.kl(other))
    assert torch.equal(posterior.nll(other.mean), stock.nll(other.mean))


def test_samples_scatter_around_the_mean_by_std_and_a_seed_repeats_them():
    posterior = Posterior(MOMENTS)
    draws = torch.stack([posterior.sample(torch.Generator().manual_seed(k)) for k in range(500)])
    assert ((draws.mean(0) - posterior.mode()) / posterior.std).abs().max() < 5 / 500**0.5
    assert ((draws.std(0) / posterior.std) - 1).abs().max() < 0.2
    assert torch.equal(draws[3], posterior.sample(torch.Generator().manual_seed(3)))


@pytest.mark.parametrize(("logvar", "held"), [(-100.0, -30.0), (100.0, 20.0)])
def test_the_log_variance_is_held(logvar, held):
    assert (Posterior(torch.full((1, 2, 1, 1, 1), logvar)).logvar == held).all()
