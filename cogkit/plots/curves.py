"""Training curves from the lines that a run noted."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure


def training_curves(runs: list[Path], smooth: int = 15) -> Figure:
    """One row a file of notes (its name is the title): the loss, and every score it validated on unseen data."""
    figure, rows = plt.subplots(len(runs), 2, figsize=(10, 3.2 * len(runs)), squeeze=False, layout="constrained")
    for path, (loss_axes, score_axes) in zip(runs, rows, strict=True):
        title, notes = path.stem, [json.loads(line) for line in path.read_text().splitlines()]
        steps, losses = np.array([[n["step"], n["loss"]] for n in notes]).T
        loss_axes.plot(steps, losses, color="0.8", linewidth=1)
        if len(losses) >= smooth:
            middle = slice(smooth // 2, smooth // 2 + len(losses) - smooth + 1)
            loss_axes.plot(steps[middle], np.convolve(losses, np.ones(smooth) / smooth, "valid"), color="C0")
        loss_axes.set(title=f"{title}: loss ({notes[-1]['seconds'] / 60:.0f} min)", xlabel="step", yscale="log")
        scores = sorted({name for n in notes for name in n if name.startswith(("psnr_", "unseen_"))})
        for name in scores:
            points = np.array([[n["step"], n[name]] for n in notes if name in n])
            score_axes.plot(*points.T, marker=".", label=name.replace("_", " "))
        unit = "PSNR, dB" if any(name.startswith("psnr_") for name in scores) else "loss"
        score_axes.set(title=f"{title}: averaged weights on unseen data", xlabel="step", ylabel=unit)
        score_axes.legend(frameon=False)
        for axes in (loss_axes, score_axes):
            axes.spines[["top", "right"]].set_visible(False)
    return figure
