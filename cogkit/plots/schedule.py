"""How much signal is left at each training timestep, and at which of them a sampler stops."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from cogkit.plots.figure import COLOURS, WIDTH, Picture, describe, picture
from cogkit.plots.tables import table


@picture
def schedule_stops(
    alpha_bar: Float[np.ndarray, " T"],
    ladder: Sequence[int],
    usual: Float[np.ndarray, " T"] | None = None,
    title: str = "",
) -> Picture:
    """alpha_bar, and the logarithm of signal over noise, with the sampler's stops; `usual`: a curve to compare with."""
    stops, figure = list(ladder), Picture(figsize=(WIDTH, 2.3))
    left, right = figure.subplots(1, 2)
    for axes, of in ((left, lambda level: level), (right, log_snr)):
        if usual is not None:
            axes.plot(of(usual), color="0.7", linestyle="--", label="5B, 1.5, nano")
        axes.plot(of(alpha_bar), color=COLOURS[0])
        axes.plot(stops, of(alpha_bar)[stops], "o", color=COLOURS[4], markersize=5, clip_on=False, label="stops")
        axes.set(xlim=(999, -20), xlabel="train timestep (999: noise)")
    left.set(ylabel="alpha_bar", ylim=(0, 1.02))
    right.set(ylabel="ln(signal / noise)", ylim=(-12, 8))
    right.axhline(0, color="black", linestyle=":", linewidth=1)
    if alpha_bar[stops[0]] == 0:
        right.annotate("minus infinity", (999, -12), (960, -10.5), fontsize=9, arrowprops={"arrowstyle": "->"})
    left.legend(fontsize=9)
    figure.suptitle(title)
    rows = [[stop, float(alpha_bar[stop]), float(log_snr(alpha_bar)[stop])] for stop in stops]
    alt = f"Two curves over the timestep with {len(stops)} stops of a sampler. {title}."
    return describe(figure, alt, table(["timestep", "alpha_bar", "ln(signal / noise)"], rows))


def log_snr(alpha_bar: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
    with np.errstate(divide="ignore"):
        return np.log(alpha_bar) - np.log1p(-alpha_bar)
