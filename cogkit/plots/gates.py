"""How far expert AdaLN opens each layer to each stream, from pure noise to a clean video."""

import math
from collections.abc import Mapping

import numpy as np
import xarray as xr

from cogkit.plots.figure import AMOUNT, COLOURS, SIGNED, WIDTH, Picture, PlotError, describe, picture
from cogkit.plots.strips import even
from cogkit.plots.tables import table as table_of

NORMS = {1: "attention", 2: "feed-forward"}
PARTS = ("shift", "scale", "gate")
GROUPS = 24  # rows of a picture of all channels: neighbours share one


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
    places = even(len(times), 6)
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
        f"largest in layer {int(top.layer)}, {NORMS[int(top.norm)]}"
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
    return describe(figure, alt, table_of(columns, rows))


@picture
def gate_over_time(table: xr.DataArray, layer: int, stream: str, norm: int = 1, part: str = "gate") -> Picture:
    """One layer, stream, norm and part of a cogkit.modulation_table: its channels at each timestep, and their sizes."""
    if part not in PARTS:
        raise PlotError(f"part={part!r} is unknown; there are {', '.join(PARTS)}")
    if layer not in table.layer or stream not in table.stream:
        raise PlotError(f"layer={layer}, stream={stream!r} is not in the table; it has {table.sizes['layer']} layers")
    found = table.sel(layer=layer, norm=norm, part=part).transpose("stream", "train_timestep", "channel")
    found = found.sortby("train_timestep", ascending=False)
    times, other = found.train_timestep.values, next(s for s in found.stream.values if s != stream)
    values = found.sel(stream=stream).values
    values = values[:, values.mean(0).argsort(kind="stable")]
    groups = np.array_split(values, min(GROUPS, values.shape[1]), axis=1)
    high = float(np.quantile(np.abs(table.sel(norm=norm, part=part)), 0.99)) or 1.0
    figure = Picture(figsize=(WIDTH, 2.5))
    left, right = figure.subplots(1, 2)
    rows = [group.mean(1) for group in groups]
    shown = left.imshow(rows, cmap=SIGNED, vmin=-high, vmax=high, aspect="auto", origin="lower")
    places = even(len(times), 5)
    left.set_xticks(places, times[places])
    left.set(yticks=[], ylabel=f"{values.shape[1]} channels,\nin order of their mean")
    left.set(xlabel="train timestep (999: noise)")
    left.spines[:].set_visible(False)
    figure.colorbar(shown, ax=left, label=part)
    sizes = {s: np.abs(found.sel(stream=s).values) for s in (stream, other)}
    low, upper = np.quantile(sizes[stream], (0.1, 0.9), axis=1)
    right.fill_between(times, low, upper, color=COLOURS[0], alpha=0.2, linewidth=0, label="8 of 10 channels")
    right.plot(times, sizes[stream].mean(1), color=COLOURS[0], label=f"mean, {stream}")
    right.plot(times, sizes[other].mean(1), color=COLOURS[1], linestyle="--", label=f"mean, {other}")
    right.set(xlim=(times[0], times[-1]), ylim=(0, 1.15 * high), ylabel=f"|{part}|")
    right.set(xlabel="train timestep (999: noise)")
    right.legend(fontsize=9, ncols=3, loc="upper center", columnspacing=1, handlelength=1.5)
    noisy, clean = (float(sizes[stream][k].mean()) for k in (0, -1))
    title = f"Layer {layer}, {NORMS[norm]}, {stream}: mean |{part}| goes from {noisy:.2f} in noise to {clean:.2f}"
    figure.suptitle(title)
    rows = [[int(times[k]), *(float(sizes[s][k].mean()) for s in sizes)] for k in even(len(times), 11)]
    alt = f"{title} when clean, over {values.shape[1]} channels."
    return describe(figure, alt, table_of(["timestep", *sizes], rows))


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
