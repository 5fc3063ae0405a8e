import numpy as np
import pytest
import torch

from cogkit.plots.figure import PlotError
from cogkit.plots.latents import latent_channels, latent_pca, latent_preview
from cogkit.preview import fit_preview


@pytest.fixture
def latents(clip):
    """Channels 0 to 2 are the mean colours of the blocks, the others are nearly silent noise."""
    from cogkit.preview import block_colours

    values = np.random.default_rng(0).normal(scale=0.003, size=(3, 16, 4, 4)).astype(np.float32)
    values[:, :3] = block_colours(clip).permute(0, 3, 1, 2).numpy()
    return values


def test_every_channel_is_shown_and_the_title_names_the_ones_that_vary_most_and_least(latents, numbers):
    latents[:, 5] *= 100
    latents[:, 9] *= 0.01
    picture = latent_channels(latents)
    assert picture.get_suptitle().startswith("Channel 5 varies") and picture.get_suptitle().endswith("as channel 9")
    images = [image.get_array() for axes in picture.axes[:2] for image in axes.images]
    assert all((image == latents[-1, k]).all() for k, image in enumerate(images)) and len(numbers(picture)) == 16


def test_three_directions_hold_what_three_channels_said(latents, clip, numbers):
    picture = latent_pca(latents, clip)
    together = float(numbers(picture)[2][2])
    assert together > 0.95 and f"{100 * together:.0f} % of what the latents vary" in picture.get_suptitle()


def test_a_preview_of_latents_that_hold_the_colours_is_perfect_up_to_rounding(latents, clip, numbers):
    picture = latent_preview(latents, fit_preview(latents, clip), clip)
    assert all(float(row[-2]) > 48 for row in numbers(picture))  # 8-bit rounding alone gives 59 dB
    assert all(10 < float(row[-1]) < 40 for row in numbers(picture))


def test_recorded_latents_tensors_and_arrays_are_the_same_latents(run):
    last = run["x0"].isel(step=-1)
    tables = {latent_channels(kind).table for kind in (last, last.values, torch.from_numpy(last.values))}
    assert len(tables) == 1


def test_latents_that_still_have_a_step_are_refused_with_the_way_out(run):
    with pytest.raises(PlotError, match=r"still have the axis 'step'; choose one, such as run\['x0'\].isel\(step=-1\)"):
        latent_pca(run["x0"])
    with pytest.raises(PlotError, match="frame=3 is out of range; there are 3"):
        latent_channels(run["x0"].isel(step=0), frame=3)
