import numpy as np
import pytest

from cogkit.plots.figure import PlotError
from cogkit.plots.heads import frame_matrix, head_atlas, own_frame


def test_the_atlas_names_the_head_that_stays_most_in_its_own_frame(run, numbers):
    picture = head_atlas(run)
    assert picture.get_suptitle().startswith("Layer 2, head 1 stays in its own frame most: 90 %")
    assert "Own-frame share goes from 50 % (layer 0, head 0) to 90 % (layer 2, head 1)" in picture.alt
    assert "text takes 20 % to 20 %" in picture.alt
    rows = numbers(picture)
    assert rows[0] == ["2", "1", "0.9", "0.2"] and rows[-1] == ["0", "0", "0.5", "0.2"] and len(rows) == 6


def test_every_head_is_a_tile_of_the_atlas(run):
    tiles = head_atlas(run).axes[0].images[0].get_array()
    assert tiles.shape == (3 * 4 - 1, 2 * 4 - 1)
    np.testing.assert_allclose(
        tiles[8:11, 4:7], 0.8 * np.array([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9]]), atol=1e-6
    )


def test_steps_that_a_cache_filled_in_are_left_out(run):
    assert (
        np.isnan(run["frame->frame"]["mass"].isel(step=3)).all()
        and np.isfinite(own_frame(run["frame->frame"]["mass"].isel(step=0))).all()
    )
    assert "nan" not in head_atlas(run).table and "nan" not in frame_matrix(run).table


def test_matrices_are_by_layer_over_the_heads_that_were_asked_for(run, numbers):
    picture = frame_matrix(run)
    assert "most in layer 2: 80 %" in picture.get_suptitle() and "33 % would be even" in picture.alt
    assert numbers(picture)[0] == ["0", "0", "0.6", "0", "0.8"]
    assert "layer 1: 80 %" in frame_matrix(run, layers=[1], heads=[1]).get_suptitle()


def test_layers_and_heads_that_are_not_there_are_named(run):
    with pytest.raises(PlotError, match=r"layer 7 was not recorded; there are \[0, 1, 2\]"):
        frame_matrix(run, layers=[7])
    with pytest.raises(PlotError, match="heads are needed: record maps"):
        head_atlas(run["frame->frame"].mean("head"))
