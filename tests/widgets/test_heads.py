"""The heads of a layer at a step, from a recording whose shares are known."""

import numpy as np
import pytest
import xarray as xr

from cogkit.plots.figure import PlotError
from cogkit.plots.heads import layer_heads
from cogkit.widgets.heads import HeadExplorer


@pytest.fixture
def run():
    """Two steps of three (step 2 came from a cache), two layers, two heads, three latent frames.

    Head h of layer l at step s looks at its own frame with 0.2 + 0.1 s + 0.2 l + 0.3 h of what it spends on video.
    """
    own = 0.2 + np.add.outer(np.add.outer([0, 0.1, 0], [0, 0.2]), [0, 0.3])
    same = np.eye(3)
    mass = 0.75 * (own[..., None, None] * same + (1 - own[..., None, None]) / 2 * (1 - same))
    mass[2] = np.nan
    axes = ("step", "branch", "layer", "head", "frame", "key_frame")
    text = np.full((3, 1, 2, 2, 3, 2), 0.125)
    labels = {"step": [0, 4, 9], "layer": [0, 1], "head": [0, 1]}
    values = {"mass": (axes, mass[:, None]), "text_mass": ((*axes[:-1], "group"), text)}
    values["measured"] = ("step", "layer"), np.array([[True, True], [True, True], [False, False]])
    return {"frame->frame": xr.Dataset(values, coords=labels)}


def test_each_head_has_its_own_frame_share_and_its_share_for_text(run):
    rows = [line.split() for line in layer_heads(run, 4, 1).table.splitlines()[1:]]
    assert rows == [["0", "0.5", "0.25"], ["1", "0.8", "0.25"]]


def test_sliders_stop_at_what_was_measured_and_the_words_follow(run):
    explorer = HeadExplorer(run)
    assert list(explorer.controls["step"].options) == [0, 4] and list(explorer.controls["layer"].options) == [0, 1]
    explorer.controls["step"].value = 4
    assert "Own frame: 30 % (head 0) to 60 % (head 1). Text takes 25 % to 25 %" in explorer.view.value
    assert "Step 4, layer 0: head 1 keeps 60 %" in explorer.view.value


def test_a_step_that_was_not_measured_is_refused(run):
    with pytest.raises(PlotError, match=r"step=9 was not measured; there are \[0, 4\]"):
        layer_heads(run, 9, 0)
