"""Where in the model words find their objects: AUC by step, layer and head."""

import matplotlib.pyplot as plt
import numpy as np
from einops import rearrange
from jaxtyping import Float
from matplotlib.figure import Figure

from cogkit.plots.figure import SIGNED, STYLE, describe
from cogkit.plots.strips import even

Calls = Float[np.ndarray, "step layer head"]
SHADES = {"cmap": SIGNED, "vmin": 0, "vmax": 1, "aspect": "auto", "interpolation": "nearest"}


def localisation_figure(calls: dict[str, tuple[list[int], Calls]], whole: dict[str, list[float]], bar: float) -> Figure:
    """Top: AUC of every single call, by layer, head and timestep, per kind of clip. Bottom: each recipe, clip by clip.

    `calls`: kind -> (train timesteps, AUC by step, layer, head). `whole`: recipe -> AUC of each clip.
    """
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(11, 8))
        top, bottom = figure.subfigures(2, 1, height_ratios=(1.15, 1))
        axes = top.subplots(1, len(calls), squeeze=False)[0]
        for panel, (kind, (timesteps, found)) in zip(axes, calls.items(), strict=True):
            layers, heads = found.shape[1:]
            image = panel.imshow(rearrange(found, "step layer head -> (layer head) step"), **SHADES)
            ticks = even(len(timesteps), 5)
            panel.set_xticks(ticks, [timesteps[t] for t in ticks])
            panel.set_yticks(np.arange(layers) * heads + (heads - 1) / 2, range(layers))
            panel.hlines(np.arange(1, layers) * heads - 0.5, *panel.get_xlim(), color="black", linewidth=0.8)
            panel.tick_params(axis="y", length=0)
            panel.set(title=kind, xlabel="timestep (noise to clean)", ylabel=f"layer, each with heads 0 to {heads - 1}")
        top.colorbar(image, ax=axes.tolist(), label="AUC (0.5: chance)", shrink=0.8)

        dots = bottom.subplots()
        dice = np.random.default_rng(0)
        for row, values in enumerate(reversed(whole.values())):
            dots.plot(values, row + dice.uniform(-0.25, 0.25, len(values)), ".", color="0.7", markersize=4, zorder=1)
            dots.plot(np.mean(values), row, "D", color="C0", markersize=8, zorder=2)
        dots.set_yticks(range(len(whole)), list(whole)[::-1])
        dots.axvline(0.5, color="0.5", linestyle=":")
        dots.axvline(bar, color="C4", linestyle="--")
        dots.text(bar, len(whole) - 0.45, f" the bar: {bar}", color="C4", va="bottom", ha="center")
        dots.set(xlabel="AUC for the shape word (dots: generated clips, diamond: their mean)", xlim=(0, 1.01))
        leading = max(whole, key=lambda name: np.mean(whole[name]))
        dots.set_title(f"Of these, {leading} has the highest AUC: {np.mean(whole[leading]):.2f}", pad=20)
        return describe(
            figure,
            f"AUC of single attention calls by timestep, layer and head, and of whole recipes; "
            f"highest mean: {leading}, {np.mean(whole[leading]):.2f}",
        )
