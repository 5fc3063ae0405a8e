"""How far expert AdaLN opens each layer to each stream, from pure noise to a clean video."""

import math
from collections.abc import Mapping

import numpy as np
import xarray as xr

from cogkit.plots.figure import AMOUNT, WIDTH, Picture, PlotError, describe, picture
from cogkit.plots.tables import table

NORMS = {1: "attention", 2: "feed-forward"}
PARTS = ("shift", "scale", "gate")


@picture
def adaln_gates(source, part: str = "gate") -> Picture:
    """Mean |gate| over channels, for every layer and timestep: attention and feed-forward, video and text.

    `source`: cogkit.modulation_table(pipe, timesteps), or a Run with acts("blocks.*.adaln*.gate.*").
    `part`: "gate", or "scale" and "shift", which are drawn in the same way.
    """
    if part not in PARTS:
        raise PlotError(f"part={part!r} is unknown; there are {', '.join(PARTS)}")
    size = np.abs(_recorded(source, part) if isinstance(source, Mapping) else source.sel(part=part)).mean("channel")
    size = size.transpose("norm", "stream", "layer", "train_timestep").sortby("train_timestep", ascending=False)
    times, layers = size.train_timestep.values, size.layer.values
    figure = Picture(figsize=(WIDTH, max(4.2, 0.16 * len(layers) + 3)))
    grid = figure.subplots(2, 2, sharex=True, sharey=True)
    places = np.unique(np.linspace(0, len(times) - 1, min(6, len(times))).round().astype(int))
    for row, norm in zip(grid, size, strict=True):
        for axes, found in zip(row, norm, strict=True):
            shown = axes.imshow(found, cmap=AMOUNT, vmin=0, vmax=float(size.max()), aspect="auto", origin="lower")
            axes.set_title(f"{NORMS[int(found.norm)]}, {found.stream.item()}", fontsize=10)
            axes.set_xticks(places, times[places])
            axes.set_yticks(range(0, len(layers), -(-len(layers) // 8)), layers[:: -(-len(layers) // 8)])
            axes.spines[:].set_visible(False)
    for axes in grid[-1]:
        axes.set_xlabel("train timestep (999: noise, 0: clean)")
    for axes in grid[:, 0]:
        axes.set_ylabel("layer")
    figure.colorbar(shown, ax=grid, label=f"mean |{part}| over channels", shrink=0.8)
    top = size.where(size == size.max(), drop=True).squeeze()
    by_stream = {stream: float(size.sel(stream=stream).mean()) for stream in size.stream.values}
    strong, weak = sorted(by_stream, key=by_stream.get, reverse=True)
    figure.suptitle(
        f"Mean |{part}| is {by_stream[strong] / by_stream[weak]:.2g} times as large for {strong} as for {weak}; "
        f"largest in layer {int(top.layer)}, {NORMS[int(top.norm)]}",
        x=0.01,
        ha="left",
    )
    noisy, clean = size.isel(train_timestep=0), size.isel(train_timestep=-1)
    rows = [
        [NORMS[int(n.norm)], n.stream.item(), int(n.layer), float(n), float(c), float(c / n) if n else math.nan]
        for n, c in zip(_flat(noisy), _flat(clean), strict=True)
    ]
    alt = (
        f"Mean absolute AdaLN {part} of {len(layers)} layers at {len(times)} timesteps. Largest: {float(top):.2g}, "
        f"{NORMS[int(top.norm)]} on {top.stream.item()} in layer {int(top.layer)}, timestep {int(top.train_timestep)}. "
        f"On average {by_stream[strong]:.2g} for {strong} and {by_stream[weak]:.2g} for {weak}."
    )
    columns = ["before", "stream", "layer", f"at {times[0]}", f"at {times[-1]}", "ratio"]
    return describe(figure, alt, table(columns, rows))


def _recorded(run: Mapping, part: str) -> xr.DataArray:
    """A run's adaln records, in the axes of a modulation table. No prompt, seed or branch changes them."""
    wanted = {(norm, stream): f"adaln{norm}.{part}.{stream}" for norm in NORMS for stream in ("video", "text")}
    missing = [name for name in wanted.values() if name not in run]
    if missing:
        raise PlotError(
            f"the run has no {missing[0]!r}; record acts('blocks.*.adaln*.{part}.*'), or use modulation_table"
        )
    found = {key: run[name].isel(branch=0, drop=True) for key, name in wanted.items()}
    norms = [
        xr.concat([found[norm, s] for s in ("video", "text")], "stream").assign_coords(stream=["video", "text"])
        for norm in NORMS
    ]
    table = xr.concat(norms, "norm").assign_coords(norm=list(NORMS))
    return table.swap_dims(step="train_timestep").drop_vars("step")


def _flat(found: xr.DataArray) -> list[xr.DataArray]:
    return [value for norm in found for stream in norm for value in stream]
