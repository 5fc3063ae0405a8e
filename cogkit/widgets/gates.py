"""Walk through the experts: what AdaLN does in a layer to a stream, from noise to clean, channel by channel."""

from functools import partial

import numpy as np
import xarray as xr

from cogkit.plots.figure import Picture
from cogkit.plots.gates import NORMS, PARTS, gate_over_time
from cogkit.plots.tables import percent
from cogkit.widgets.controls import choice, slider
from cogkit.widgets.picture import Explorer


def look(table: xr.DataArray, layer: int, stream: str, norm: int, part: str) -> tuple[Picture, str]:
    """One stream's shift, scale or gate before attention (norm 1) or feed-forward (2) of a layer."""
    one = table.sel(layer=layer, norm=norm, part=part).transpose("stream", "train_timestep", "channel")
    mine, others = one.sel(stream=stream).values, one.drop_sel(stream=stream).values[0]
    turning = np.mean((mine > 0).any(0) & (mine < 0).any(0))
    readout = f"{percent(turning)} of the channels change their sign between noise and clean. "
    sizes = np.linalg.norm(mine) * np.linalg.norm(others)
    if not sizes:
        return gate_over_time(table, layer, stream, norm, part), readout + "One of the two streams is zero here."
    alike = float((mine * others).sum() / sizes)
    readout += f"Video and text agree by {alike:.2f} (cosine of their numbers: 1 is the same, 0 nothing in common)."
    return gate_over_time(table, layer, stream, norm, part), readout


class GateExplorer(Explorer):
    """`table`: cogkit.modulation_table(pipe, timesteps)."""

    def __init__(self, table: xr.DataArray):
        layers = table.layer.values.tolist()
        super().__init__(
            partial(look, table),
            layer=slider("layer", layers[0], layers[-1], layers[0]),
            stream=choice("expert", table.stream.values.tolist(), "video"),
            norm=choice("before", {name: norm for norm, name in NORMS.items()}, 1),
            part=choice("part", PARTS, "gate"),
        )
