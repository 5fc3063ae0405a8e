"""Turn the knobs of the noise schedule: shift, the repair of its end, and the number of steps."""

import numpy as np

from cogkit.plots.figure import Picture
from cogkit.plots.schedule import log_snr, schedule_stops
from cogkit.sampler.schedule import cogvideox, spaced_timesteps
from cogkit.widgets.controls import choice, fine_slider, stops
from cogkit.widgets.picture import Explorer

ENDS = {"pure noise (zero terminal SNR)": True, "as the betas leave it": False}


def look(shift: float, zero_terminal: bool, steps: int) -> tuple[Picture, str]:
    """CogVideoX's betas with that `snr_shift_scale`, with or without zero terminal SNR, and so many trailing steps."""
    level, ladder = cogvideox(shift, zero_terminal).alpha_bar.numpy(), spaced_timesteps(steps)
    even = int(np.abs(log_snr(level)).argmin())
    noisy = sum(level[t] < 0.5 for t in ladder)
    left = np.sqrt(level[-1])
    title = f"Shift {shift:g}, {steps} step{'s' * (steps > 1)}: {noisy} in more noise than signal"
    title += "" if zero_terminal else f"; {100 * left:.2g} % of the video left in the noise"
    figure = schedule_stops(level, ladder, cogvideox().alpha_bar.numpy(), title)
    ratios = log_snr(level[ladder])
    finite = ratios[np.isfinite(ratios)]
    readout = (
        f"Of its amplitude the video has {100 * left:.2g} % at timestep 999, {100 * np.sqrt(level[499]):.0f} % at 499. "
        f"Signal and noise are equal at timestep {even}. {noisy} of {steps} steps start in more noise than signal."
    )
    if len(finite) > 1:
        jumps = np.diff(finite)
        readout += f" Between stops the logarithm of their ratio rises by {jumps.min():.2g} to {jumps.max():.2g}"
        readout += ", not counting the first step, which comes from minus infinity." if len(finite) < steps else "."
    return figure, readout


class ScheduleExplorer(Explorer):
    """snr_shift_scale: 3 in the 2B, 1 in the others."""

    def __init__(self):
        super().__init__(
            look,
            shift=fine_slider("snr_shift_scale", 0.5, 9.0, 1.0, 0.5),
            zero_terminal=choice("the last level", ENDS, True),
            steps=stops("steps", (1, 2, 4, 5, 10, 20, 50, 100), 20),
        )
