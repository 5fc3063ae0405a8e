"""Edits of the initial noise keep its distribution, and the unedited draw is the pipeline's own."""

from dataclasses import replace

import pytest
import torch

from cogkit.generation import Settings, SettingsError, check_settings, generate
from cogkit.noise import NOISES, edit_noise, initial_noise

SHORT = Settings("a red circle moving right on a gray background", frames=9, height=64, width=64, steps=2, seed=3)


def first_latents(pipe, **changes):
    return generate(pipe, replace(SHORT, **changes)).trajectory.latents[0]


def test_the_draw_is_the_one_that_the_pipeline_makes_itself(nano):
    drawn = initial_noise(nano, 9, 64, 64, torch.Generator().manual_seed(3))
    assert torch.equal(drawn[0], first_latents(nano))


def test_a_run_starts_from_the_edited_noise(nano):
    drawn = first_latents(nano)
    assert torch.equal(first_latents(nano, noise="mirrored"), drawn.flip(-1))
    assert torch.equal(first_latents(nano, noise="one frame for all"), drawn[:1].expand_as(drawn))


@pytest.mark.parametrize("edit", NOISES)
def test_every_edit_keeps_mean_and_spread(edit):
    noise, other = torch.randn(2, 1, 5, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    found = edit_noise(noise, edit, other)
    assert found.shape == noise.shape and abs(float(found.mean())) < 0.05 and abs(float(found.std()) - 1) < 0.05
    assert torch.equal(found, noise) == (edit == "as drawn")


def test_an_unknown_edit_is_refused_with_those_there_are(nano):
    with pytest.raises(SettingsError, match="noise='upside down' is unknown; use one of as drawn"):
        check_settings(nano, replace(SHORT, noise="upside down"))
