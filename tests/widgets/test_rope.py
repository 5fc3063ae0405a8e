"""The likeness that is drawn is the score of turned vectors, and depends on distances alone."""

import numpy as np
import pytest
import torch

from cogkit.plots.figure import PlotError
from cogkit.plots.rope import likeness, rope_field
from cogkit.transformer.rope import positions, rotary_table, rotate, turns
from cogkit.widgets.rope import RopeExplorer

GRID = (3, 4, 5)


@pytest.fixture(scope="module")
def rotary():
    return rotary_table(positions(GRID, None), 64)


def as_turns(rotary):
    return np.stack([part[:, ::2].numpy() for part in rotary], axis=-1)


def test_likeness_is_the_score_of_a_query_and_a_key_that_are_the_same_before_they_are_turned(rotary):
    same = torch.tensor([1.0, 0.0]).repeat(32).expand(1, 1, 60, 64)
    turned = rotate(same, turns(rotary, 0))[0, 0]
    assert np.allclose(likeness(as_turns(rotary), GRID), turned @ turned.T / 32, atol=1e-5)


def test_pairs_of_one_axis_do_not_see_the_others(rotary):
    by_time = likeness(as_turns(rotary), GRID, "time").reshape(*GRID, *GRID)
    assert np.allclose(by_time[1, 2, 3, 1], 1) and by_time[1, 2, 3, 2].max() < 0.99


def test_moving_a_slider_moves_the_token_and_the_words(rotary):
    explorer = RopeExplorer(rotary, GRID)
    assert [explorer.controls[name].max for name in "tyx"] == [2, 3, 4]
    explorer.controls["x"].value = 0
    assert "Token at t 1, y 2, x 0" in explorer.view.value
    alike = likeness(as_turns(rotary), GRID).reshape(*GRID, *GRID)[0, 0, 0]
    assert f"the column to the right are alike by {alike[0, 0, 1]:.2f}" in explorer.view.value


def test_squeezed_positions_that_are_not_evenly_spaced_are_not_said_to_be(rotary):
    t, y, x = positions(GRID, None)
    uneven = rotary_table([t, y, x**2], 64)
    assert " to " in RopeExplorer(uneven, GRID).view.value.split("column to the right")[1].split("</p>")[0]


def test_a_table_of_another_grid_and_a_token_outside_are_refused(rotary):
    with pytest.raises(PlotError, match=r"a grid of \(3, 4, 4\) has 48 tokens, but 60 have angles"):
        likeness(as_turns(rotary), (3, 4, 4))
    with pytest.raises(PlotError, match="outside"):
        rope_field(as_turns(rotary), GRID, (3, 0, 0))
