"""Who looks at which frame: the head atlas, and frame-to-frame matrices by layer. Data: a recorded "frame->frame"."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float

from cogkit.plots.figure import AMOUNT, COLOURS, WIDTH, Picture, PlotError, describe, picture
from cogkit.plots.strips import even
from cogkit.plots.tables import percent, table


@picture
def head_atlas(run) -> Picture:
    """Every head of every layer: its matrix from query frame to key frame, its own-frame share, its share for text.

    `run`: a Run with maps("frame->frame"), or that dataset; the mean over its measured steps.
    """
    mass, text = _mass(run, "mass"), _mass(run, "text_mass").sum("group").mean("frame")
    own = own_frame(mass)
    layers, heads, frames = mass.sizes["layer"], mass.sizes["head"], mass.sizes["frame"]
    tall = min(max(2.6, 0.5 * layers + 1.1), 9)
    figure = Picture(figsize=(WIDTH, tall + 0.5))
    figure.get_layout_engine().set(wspace=0.06)
    atlas, left, right = figure.subplots(1, 3, width_ratios=(1.4, 1, 1))
    image = atlas.imshow(_tiled(mass.values), cmap=AMOUNT, vmin=0)
    figure.colorbar(image, ax=atlas, label="attention (share)", shrink=0.8)
    middles = [np.arange(n) * (frames + 1) + (frames - 1) / 2 for n in (heads, layers)]
    for axis, places, names in ((atlas.xaxis, middles[0], mass["head"]), (atlas.yaxis, middles[1], mass.layer)):
        shown = even(len(places), 12)
        axis.set_ticks(places[shown], names.values[shown])
    atlas.set_title("query frame (down) to key frame (right)", fontsize=10)
    for axes, found, what in ((left, own, "own frame / all frames"), (right, text, "text, with padding / all")):
        shown = axes.imshow(found, cmap=AMOUNT, vmin=0, vmax=1, aspect="auto")
        axes.set_title(what, fontsize=10)
        axes.set_xticks(even(heads, 12), found["head"].values[even(heads, 12)])
        axes.set_yticks(even(layers, 12), found.layer.values[even(layers, 12)])
        if found.size <= 80:
            for (y, x), value in np.ndenumerate(found.values):
                axes.text(x, y, f"{value:.2f}", ha="center", va="center", color="k" if value > 0.6 else "w", fontsize=9)
    figure.colorbar(shown, ax=right, label="share", shrink=0.8)
    for axes in (atlas, left, right):
        axes.set(xlabel="head", ylabel="layer" if axes is atlas else "")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    most, least = (own.where(own == edge, drop=True) for edge in (own.max(), own.min()))
    most, least = ((int(e.layer[0]), int(e["head"][0]), percent(float(e.max()))) for e in (most, least))
    chance = percent(1 / frames)
    figure.suptitle(
        f"Layer {most[0]}, head {most[1]} stays in its own frame most: {most[2]} of its attention on video"
        f" ({chance} if it did not care)"
    )
    alt = (
        f"Attention between {frames} latent frames for {layers} layers of {heads} heads. Own-frame share goes from "
        f"{least[2]} (layer {least[0]}, head {least[1]}) to {most[2]} (layer {most[0]}, head {most[1]}); "
        f"text takes {percent(float(text.min()))} to {percent(float(text.max()))} of a head's attention."
    )
    rows = [[int(o.layer), int(o["head"]), float(o), float(t)] for o, t in zip(_flat(own), _flat(text), strict=True)]
    rows.sort(key=lambda row: -row[2])
    return describe(figure, alt, table(["layer", "head", "own frame", "text"], rows))


@picture
def frame_matrix(run, layers: Sequence[int] | None = None, heads: Sequence[int] | None = None) -> Picture:
    """Attention from each latent frame to each: one matrix a layer, the mean over heads and measured steps.

    `run`: as for head_atlas. `layers`: by default up to six, evenly chosen. `heads`: by default all.
    """
    mass = _mass(run, "mass")
    mass = (mass if heads is None else _choose(mass, "head", heads)).mean("head")
    chosen = mass.layer.values[even(mass.sizes["layer"], 6)].tolist() if layers is None else list(layers)
    mass = _choose(mass, "layer", chosen)
    own, frames = own_frame(mass), mass.sizes["frame"]
    figure = Picture(figsize=(max(6.0, min(WIDTH, 1.7 * len(chosen) + 1)), 2.5))
    grid = figure.subplots(1, len(chosen), squeeze=False, sharey=True)[0]
    for axes, layer in zip(grid, mass, strict=True):
        shown = axes.imshow(layer, cmap=AMOUNT, vmin=0, vmax=float(mass.max()))
        axes.set_title(f"layer {int(layer.layer)}", fontsize=10)
        axes.set(xlabel="key frame", xticks=even(frames, 5), yticks=even(frames, 5))
        axes.spines[:].set_visible(False)
    grid[0].set_ylabel("query frame")
    figure.colorbar(shown, ax=grid, label="attention (share)", shrink=0.7)
    high = int(own.values.argmax())
    figure.suptitle(
        f"Frames look at themselves most in layer {chosen[high]}: {percent(float(own[high]))} of the attention on "
        f"video ({percent(1 / frames)} would be even)"
    )
    alt = f"Attention between {frames} latent frames, one matrix a layer. Own-frame share: " + ", ".join(
        f"layer {layer} {percent(float(value))}" for layer, value in zip(chosen, own, strict=True)
    )
    rows = [
        [int(layer.layer), frame, float(row[frame] / row.sum()), int(np.argmax(row)), float(row.sum())]
        for layer in mass
        for frame, row in enumerate(layer.values)
    ]
    columns = ["layer", "query frame", "own frame", "looks most at", "mass on video"]
    return describe(figure, alt + f"; {percent(1 / frames)} would be even.", table(columns, rows))


@picture
def layer_heads(run, step: int, layer: int) -> Picture:
    """The heads of one layer at one step: up to four matrices from query to key frame, and both shares of every head.

    `run`: as for head_atlas.
    """
    mass = _choose(_mass(_at(run, step), "mass"), "layer", [layer])[0]
    own, text = shares_of(run, step, layer)
    heads, frames = mass["head"].values, mass.sizes["frame"]
    drawn = even(len(heads), 4)  # matrices; the bars are of all heads
    figure = Picture(figsize=(WIDTH, 2.55))
    grid = figure.subplots(1, len(drawn) + 1, width_ratios=[1] * len(drawn) + [1.5])
    for axes, head in zip(grid, mass[drawn], strict=False):
        shown = axes.imshow(head / head.sum("key_frame"), cmap=AMOUNT, vmin=0, vmax=1)
        axes.set(xlabel="key frame", xticks=even(frames, 5), yticks=even(frames, 5))
        axes.set_title(f"head {int(head['head'])}", fontsize=10)
        axes.spines[:].set_visible(False)
    grid[0].set_ylabel("query frame")
    figure.colorbar(shown, ax=grid[:-1], label="share of video", shrink=0.7)
    at = np.arange(len(heads))
    grid[-1].barh(at - 0.2, own, 0.38, color=COLOURS[0], label="own frame / all frames")
    grid[-1].barh(at + 0.2, text, 0.38, color=COLOURS[1], label="text / all")
    grid[-1].axvline(1 / frames, color="black", linestyle=":", linewidth=1)
    grid[-1].set(xlim=(0, 1), ylim=(len(heads) - 0.4, -0.6))
    grid[-1].set_yticks(at[even(len(heads), 8)], [f"head {h}" for h in heads[even(len(heads), 8)]])
    grid[-1].legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1), borderpad=0)
    most = int(own.values.argmax())
    title = f"Step {step}, layer {layer}: head {heads[most]} keeps {percent(float(own[most]))} in its own frame"
    figure.suptitle(f"{title} ({percent(1 / frames)} would be even)")
    rows = [[int(h), float(o), float(t)] for h, o, t in zip(heads, own, text, strict=True)]
    return describe(figure, f"{title}, of {len(heads)} heads.", table(["head", "own frame", "text"], rows))


def measured_steps(run) -> list[int]:
    """The steps of a recorded "frame->frame" that were computed, in every layer."""
    data = run if isinstance(run, xr.Dataset) else run["frame->frame"]
    if "measured" not in data:
        return data.step.values.tolist()
    return data.step.values[data["measured"].values.all(1)].tolist()


def shares_of(run, step: int, layer: int) -> tuple[xr.DataArray, xr.DataArray]:
    """For each head of a layer at a step: its own-frame share of attention on video, and the share of text in all."""
    mass, text = (_choose(_mass(_at(run, step), name), "layer", [layer])[0] for name in ("mass", "text_mass"))
    return own_frame(mass), text.sum("group").mean("frame")


def _at(run, step: int) -> xr.Dataset:
    data = run if isinstance(run, xr.Dataset) else run["frame->frame"]
    if step not in (steps := measured_steps(data)):
        raise PlotError(f"step={step} was not measured; there are {steps}")
    return data.sel(step=[step])


def own_frame(mass: xr.DataArray) -> xr.DataArray:
    """Of the attention on video, the share that goes to the query's own latent frame (mean over query frames)."""
    same = xr.DataArray(np.eye(mass.sizes["frame"]), dims=("frame", "key_frame"))
    return ((mass * same).sum("key_frame") / mass.sum("key_frame")).mean("frame")


def _mass(run, name: str) -> xr.DataArray:
    """(layer, head, frame, ...): the mean over the steps that were computed, in the last (conditional) branch."""
    data = run if isinstance(run, xr.Dataset) else run["frame->frame"]
    if "head" not in data[name].dims:
        raise PlotError(
            f"{name!r} has axes {data[name].dims}, but heads are needed: record maps('frame->frame', heads='each')"
        )
    if "sample" in data.dims:
        raise PlotError(
            f"this recording has {data.sizes['sample']} samples; choose one: run['frame->frame'].isel(sample=0)"
        )
    found = data[name].where(data["measured"]) if "measured" in data else data[name]
    found = found.isel(branch=-1, drop=True) if "branch" in found.dims else found
    return found.mean("step").transpose("layer", "head", "frame", ...)


def _choose(mass: xr.DataArray, axis: str, labels: Sequence[int]) -> xr.DataArray:
    missing = sorted(set(labels) - set(mass[axis].values.tolist()))
    if missing:
        raise PlotError(f"{axis} {missing[0]} was not recorded; there are {mass[axis].values.tolist()}")
    return mass.sel({axis: list(labels)})


def _tiled(mass: Float[np.ndarray, "layer head t t"]) -> Float[np.ndarray, "H W"]:
    """All matrices in one image, a blank line between them."""
    padded = np.pad(mass, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    return padded.transpose(0, 2, 1, 3).reshape(mass.shape[0] * padded.shape[2], -1)[:-1, :-1]


def _flat(found: xr.DataArray) -> list[xr.DataArray]:
    return [value for layer in found for value in layer]
