"""What is said of a gate is what the table holds."""

import numpy as np
import pytest
import xarray as xr

from cogkit.plots.figure import PlotError
from cogkit.plots.gates import gate_over_time
from cogkit.widgets.gates import GateExplorer, look


@pytest.fixture
def table():
    """Two layers, four channels. Layer 1, norm 2, gate: the video falls from 4 to 2, one channel turns; text is 1."""
    axes = ("train_timestep", "layer", "norm", "stream", "part", "channel")
    labels = ([0, 500, 999], [0, 1], [1, 2], ["video", "text"], ["shift", "scale", "gate"])
    found = xr.DataArray(np.zeros((3, 2, 2, 2, 3, 4)), dims=axes, coords=dict(zip(axes, labels, strict=False)))
    gate = dict(layer=1, norm=2, part="gate")
    found.loc[gate | dict(stream="video")] = np.array([[2, 2, 2, 2], [3, 3, 3, 3], [4, 4, 4, -4.0]])
    found.loc[gate | dict(stream="text")] = 1
    return found


def test_noise_stands_first_and_means_are_of_absolute_values(table):
    figure = gate_over_time(table, 1, "video", 2)
    assert "goes from 4.00 in noise to 2.00" in figure.alt
    assert [line.split() for line in figure.table.splitlines()[1:]] == [
        ["999", "4", "1"],
        ["500", "3", "1"],
        ["0", "2", "1"],
    ]


def test_the_read_out_counts_channels_that_turn_and_how_far_the_experts_agree(table):
    readout = look(table, 1, "video", 2, "gate")[1]
    mine, other = table.sel(layer=1, norm=2, part="gate").transpose("stream", ...).values.reshape(2, -1)
    assert "25 % of the channels change their sign" in readout
    assert f"agree by {mine @ other / np.linalg.norm(mine) / np.linalg.norm(other):.2f}" in readout


def test_a_stream_of_zeros_is_said_to_be_one(table):
    assert "One of the two streams is zero here" in look(table, 0, "text", 1, "scale")[1]


def test_every_control_reaches_the_picture(table):
    explorer = GateExplorer(table)
    for name, value in dict(layer=1, norm=2, stream="text").items():
        explorer.controls[name].value = value
    assert "Layer 1, feed-forward, text: mean |gate| goes from 1.00" in explorer.view.value
    explorer.controls["part"].value = "shift"
    assert "mean |shift| goes from 0.00" in explorer.view.value


def test_what_the_table_has_not_is_refused(table):
    with pytest.raises(PlotError, match="layer=2"):
        gate_over_time(table, 2, "video")
    with pytest.raises(PlotError, match="part='size' is unknown"):
        gate_over_time(table, 0, "video", part="size")
