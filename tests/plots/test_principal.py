import numpy as np

from cogkit.plots.principal import fit_principal


def test_directions_are_those_of_the_variance_and_the_mean_is_gray():
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(2, 4, 30, 30)) * np.array([1, 5, 3, 0.1])[None, :, None, None] + 7
    found = fit_principal(latents)
    assert np.abs(found.directions[:, :3]).argmax(0).tolist() == [1, 2, 0] and (np.diff(found.shares) < 0).all()
    np.testing.assert_allclose(found.shares.sum(), 1)
    np.testing.assert_allclose(found(np.broadcast_to(found.mean[:, None, None], (1, 4, 1, 1))), 128)


def test_the_same_numbers_get_the_same_colour_at_every_step():
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(1, 4, 3, 3))
    found = fit_principal(rng.normal(size=(2, 4, 8, 8)))
    assert (found(np.concatenate([latents, latents * 2]))[0] == found(latents)[0]).all()
