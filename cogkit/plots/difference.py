"""Two runs side by side, and what is not the same: in frames, or at every step of the sampler."""

from collections.abc import Callable

import numpy as np

from cogkit.plots.figure import Picture, PlotError, describe, picture
from cogkit.plots.principal import fit_principal
from cogkit.plots.steps import trajectory_of
from cogkit.plots.strips import Row, as_clip, even, strips
from cogkit.plots.tables import percent, table

HEAT = "inferno"
SEEN = 8  # of 255 grey levels: what an eye notices in a flat patch


@picture
def difference_strip(one, other, labels: tuple[str, str] = ("one", "other"), columns: int = 7) -> Picture:
    """Two clips of one size, frame by frame, and below them |one - other| (the mean over colours, in levels of 255)."""
    a, b = as_clip(one, labels[0]), as_clip(other, labels[1])
    if a.shape != b.shape:
        raise PlotError(f"{labels[0]} is {a.shape} and {labels[1]} is {b.shape}; clips of one size can be compared")
    apart = np.abs(a.astype(np.int16) - b).mean(-1)
    shown, top = even(len(a), columns), max(float(apart.max()), 1.0)
    rows = [Row(label, [clip[k] for k in shown]) for label, clip in zip(labels, (a, b), strict=True)]
    rows[0] = rows[0]._replace(titles=[f"frame {k}" for k in shown])
    rows.append(Row(f"difference\nup to {top:.0f}/255", [apart[k] for k in shown], HEAT, 0, top))
    figure, _ = strips(rows)
    changed = (apart > SEEN).mean((1, 2))
    title = (
        f"{percent(changed.mean())} of the pixels differ by more than {SEEN} of 255 levels"
        if apart.any()
        else ("The two clips are equal, every pixel of them")
    )
    figure.suptitle(title)
    alt = f"{labels[0]} and {labels[1]}, and their difference in {len(shown)} of {len(a)} frames. {title}."
    if apart.any():
        alt += (
            f" The mean difference is {apart.mean():.2g} levels; largest in frame {int(apart.mean((1, 2)).argmax())}."
        )
    numbers = [[int(k), float(apart[k].mean()), float(apart[k].max()), percent(changed[k])] for k in even(len(a), 24)]
    return describe(figure, alt, table(["frame", "mean", "most", f"pixels over {SEEN}"], numbers))


@picture
def run_difference(
    one,
    other,
    labels: tuple[str, str] = ("one", "other"),
    colours: Callable | None = None,
    frame: int = -1,
    columns: int = 10,
) -> Picture:
    """What two runs believed in at the same steps (x0 of one latent frame), and how far apart they are.

    `one`, `other`: Runs with trajectory(), of one size and number of steps. `colours`: as for trajectory_strip.
    Apart is |one - other| / |one| over all latents; the last row shows it where it is, over the channels.
    """
    a, b = (trajectory_of(run)["x0"] for run in (one, other))
    if a.shape != b.shape:
        raise PlotError(f"{labels[0]} is {dict(a.sizes)} and {labels[1]} is {dict(b.sizes)}; give runs of one size")
    colours = colours or fit_principal(a.values[-1])
    steps, shown = a.step.values, even(len(a), columns)
    where = np.sqrt(((a.values - b.values) ** 2).mean(2))  # (step, t, y, x)
    size = np.sqrt((a.values**2).mean((1, 2, 3, 4)))
    apart = np.sqrt((where**2).mean((1, 2, 3))) / np.maximum(size, 1e-9)
    top = max(float(where[shown, frame].max()), 1e-6)
    rows = [Row(label, [colours(x0.values[k])[frame] for k in shown]) for label, x0 in zip(labels, (a, b), strict=True)]
    rows[0] = rows[0]._replace(titles=[f"step {steps[k]}" for k in shown])
    rows.append(Row(f"difference\nup to {top:.2g}", [where[k, frame] for k in shown], HEAT, 0, top))
    figure, _ = strips(rows)
    title = f"The difference goes from {percent(apart[0])} of the latents' size to {percent(apart[-1])}"
    if not apart.any():
        title = "The two runs are equal at every step"
    elif apart[0] < apart[-1] / 2:
        half = int(np.argmax(apart > apart[-1] / 2))
        title = f"Half of the final difference is there at step {steps[half]} of {len(steps)}"
    figure.suptitle(title)
    alt = (
        f"Predicted-clean x0 of {labels[0]} and {labels[1]} at {len(shown)} of {len(steps)} steps, their difference "
        f"{percent(apart[0])} of the latents' size at the first step, {percent(apart[-1])} at the last. {title}."
    )
    numbers = [[int(steps[k]), float(apart[k])] for k in even(len(steps), 24)]
    return describe(figure, alt, table(["step", "apart"], numbers))
