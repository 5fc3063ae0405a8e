import pytest
import torch

from cogkit.sampler.prediction import (
    PredictionError,
    add_noise,
    noise_from_v,
    v_from_x0_noise,
    x0_from,
    x0_from_v,
)

CLOSE = {"atol": 1e-12, "rtol": 1e-9}


@pytest.fixture(params=[0.01, 0.5, 0.99])
def known(request):
    """Latents made of a known x0 and a known noise, and their v."""
    alpha_bar = torch.tensor(request.param, dtype=torch.float64)
    x0, noise = torch.randn(2, 3, 4, dtype=torch.float64), torch.randn(2, 3, 4, dtype=torch.float64)
    return alpha_bar, x0, noise, add_noise(x0, noise, alpha_bar), v_from_x0_noise(x0, noise, alpha_bar)


def test_v_gives_back_the_x0_and_the_noise_it_was_made_of(known):
    alpha_bar, x0, noise, latents, v = known
    torch.testing.assert_close(x0_from_v(latents, v, alpha_bar), x0, **CLOSE)
    torch.testing.assert_close(noise_from_v(latents, v, alpha_bar), noise, **CLOSE)


def test_the_velocity_of_v_and_latents_is_x0(known):
    """Trainers use get_velocity(v, latents, t) to get x0: the same formula with other arguments."""
    alpha_bar, x0, noise, latents, v = known
    torch.testing.assert_close(v_from_x0_noise(v, latents, alpha_bar), x0, **CLOSE)


def test_in_pure_noise_v_is_minus_x0():
    latents, v, zero = torch.randn(2, 3), torch.randn(2, 3), torch.tensor(0.0)
    assert torch.equal(x0_from_v(latents, v, zero), -v)
    assert torch.equal(noise_from_v(latents, v, zero), latents)


def test_every_kind_of_network_leads_to_the_same_x0(known):
    alpha_bar, x0, noise, latents, v = known
    for kind, answer in (("v_prediction", v), ("sample", x0), ("epsilon", noise)):
        torch.testing.assert_close(x0_from(kind, latents, answer, alpha_bar), x0, **CLOSE)


def test_predicted_noise_in_pure_noise_is_refused_where_the_reference_divides_by_zero():
    latents, noise, zero = torch.randn(2, 3), torch.randn(2, 3), torch.tensor(0.0)
    with pytest.raises(PredictionError, match="cannot start at alpha_bar=0.*use v_prediction"):
        x0_from("epsilon", latents, noise, zero)
    assert x0_from("epsilon", latents, noise, zero, as_released=True).isinf().all()


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(PredictionError, match="'flow' is unknown; use v_prediction, sample or epsilon"):
        x0_from("flow", torch.ones(1), torch.ones(1), torch.tensor(0.5))
