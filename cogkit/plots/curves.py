"""Training curves from the lines that a run noted."""

import json
from pathlib import Path

import numpy as np

from cogkit.plots.figure import COLOURS, WIDTH, Picture, describe, picture
from cogkit.plots.tables import table


@picture
def training_curves(runs: list[Path], smooth: int = 15) -> Picture:
    """One row a file of notes (its name is the title): the loss, and every score it validated on unseen data.

    `smooth`: the bold line is a mean over so many notes, where there are that many.
    """
    figure = Picture(figsize=(WIDTH, 3.2 * len(runs)))
    sentences, ends = [], []
    for path, (left, right) in zip(runs, figure.subplots(len(runs), 2, squeeze=False), strict=True):
        title, notes = path.stem, [json.loads(line) for line in path.read_text().splitlines()]
        steps, losses = np.array([[n["step"], n["loss"]] for n in notes]).T
        left.plot(steps, losses, color="0.8", linewidth=1)
        if len(losses) >= smooth:
            middle = slice(smooth // 2, smooth // 2 + len(losses) - smooth + 1)
            left.plot(steps[middle], np.convolve(losses, np.ones(smooth) / smooth, "valid"), color=COLOURS[0])
        minutes = f"{notes[-1]['seconds'] / 60:.0f} min"
        left.set(title=f"{title}: loss ({minutes})", xlabel="step", yscale="log" if losses.min() > 0 else "linear")
        scores = sorted({name for n in notes for name in n if name.startswith(("psnr_", "unseen_"))})
        for name in scores:
            points = np.array([[n["step"], n[name]] for n in notes if name in n])
            right.plot(*points.T, marker=".", label=name.replace("_", " "))
            ends.append([title, name.replace("_", " "), *points[[0, -1], 1]])
        unit = "PSNR, dB" if any(name.startswith("psnr_") for name in scores) else "loss"
        right.set(title="averaged weights on unseen data", xlabel="step", ylabel=unit, xlim=left.get_xlim())
        if scores:
            right.legend()
        sentences.append(
            f"{title}, {steps[-1]:.0f} steps in {minutes}: the loss goes from {losses[0]:.3g} to {losses[-1]:.3g}."
        )
    return describe(figure, " ".join(sentences), table(["run", "on unseen data", "first", "last"], ends))
