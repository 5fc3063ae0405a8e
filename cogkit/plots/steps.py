"""From noise to video: what the sampler held, and what it believed in, at every step."""

from collections.abc import Callable

import numpy as np
import xarray as xr

from cogkit.plots.figure import Picture, PlotError, describe, picture
from cogkit.plots.principal import fit_principal
from cogkit.plots.strips import Row, even, strips
from cogkit.plots.tables import percent, table

HALF = 0.5  # of its own size: nearer to its end than to nothing


@picture
def trajectory_strip(run, colours: Callable | None = None, frame: int = -1, columns: int = 10) -> Picture:
    """Two rows of pictures for every step of one latent frame: the latents before it, and its predicted-clean x0.

    `run`: a Run with trajectory(), or that dataset. `colours`: (t, c, h, w) -> frames, such as a linear preview
    (cogkit.fit_preview); by default the three strongest directions of the last x0. Runs of more than `columns` steps
    go on below; an interrupted one has the steps that it made. The table has every step: noise level, and how far x0 is
    from its end, |x0 - last| / |last|.
    """
    data = trajectory_of(run)
    colours = colours or fit_principal(data["x0"].values[-1])
    steps, times, away = data.step.values, data.train_timestep.values, settling(data["x0"])
    rows = []
    for first in range(0, len(steps), columns):
        part = range(first, min(first + columns, len(steps)))
        cells = {name: [colours(data[name].values[k])[frame] for k in part] for name in ("latents", "x0")}
        rows.append(Row("latents", cells["latents"], titles=[f"{steps[k]} ({times[k]})" for k in part]))
        rows.append(Row("x0", cells["x0"]))
    figure, _ = strips(rows, extra=0.8)
    figure.supxlabel("above each pair: step (train timestep)", fontsize=9, x=0.99, ha="right")
    settled = int(np.flatnonzero(away >= HALF).max(initial=-1)) + 1
    title = f"From step {steps[settled]} of {len(steps)} on, x0 is within {percent(HALF)} of its end"
    figure.suptitle(title)
    alt = (
        f"Latents and predicted-clean x0 of one latent frame at {len(steps)} steps. x0 starts "
        f"{percent(away[0])} of its size away from its end. {title}."
    )
    sigma = data.sigma.values if "sigma" in data.coords else np.full(len(steps), np.nan)
    numbers = [[int(steps[k]), int(times[k]), float(sigma[k]), float(away[k])] for k in even(len(steps), 24)]
    return describe(figure, alt, table(["step", "train timestep", "sigma", "x0 from its end"], numbers))


def settling(x0: xr.DataArray) -> np.ndarray:
    """|x0 - last| / |last| at every step, in the Euclidean norm over all latents."""
    values = x0.values.reshape(len(x0), -1).astype(np.float64)
    return np.linalg.norm(values - values[-1], axis=1) / (np.linalg.norm(values[-1]) or 1)


def trajectory_of(run) -> xr.Dataset:
    data = run if isinstance(run, xr.Dataset) else run["trajectory"]
    if missing := [name for name in ("latents", "x0") if name not in data]:
        raise PlotError(f"the trajectory has no {missing[0]!r}; record trajectory(latents=True, x0=True)")
    if "sample" in data.dims:
        raise PlotError(f"this recording has {data.sizes['sample']} samples; choose one with .isel(sample=0)")
    data = data.transpose("step", "latent_frame", "channel", "y", "x")
    made = np.isfinite(data.x0.values).all((1, 2, 3, 4))  # an interrupted run holds nan for the steps it never came to
    if not made.any():
        raise PlotError("the trajectory holds no step: the run stopped before its first one ended; run it again")
    return data.isel(step=made)
