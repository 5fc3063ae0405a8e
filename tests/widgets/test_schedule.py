"""The curve, the stops and the words are those of the schedules that diffusers builds."""

import numpy as np
import pytest
from diffusers import CogVideoXDDIMScheduler

from cogkit.widgets.schedule import ScheduleExplorer, look


def stock(shift, zero_terminal, steps):
    scheduler = CogVideoXDDIMScheduler(
        beta_schedule="scaled_linear",
        snr_shift_scale=shift,
        rescale_betas_zero_snr=zero_terminal,
        timestep_spacing="trailing",
    )
    scheduler.set_timesteps(steps)
    return scheduler.alphas_cumprod.numpy(), scheduler.timesteps.tolist()


@pytest.mark.parametrize("setting", [(1.0, True, 20), (3.0, True, 10), (3.0, False, 5), (9.0, False, 1)])
def test_stops_and_levels_are_those_of_diffusers(setting):
    alpha_bar, timesteps = stock(*setting)
    figure, readout = look(*setting)
    rows = [line.split() for line in figure.table.splitlines()[1:]]
    assert [int(row[0]) for row in rows] == timesteps[:24]
    assert np.allclose([float(row[1]) for row in rows], alpha_bar[timesteps], rtol=0.01)
    assert f"{(alpha_bar[timesteps] < 0.5).sum()} of {setting[2]} steps" in readout
    assert f"has {100 * alpha_bar[-1] ** 0.5:.2g} % at timestep 999" in readout


def test_without_the_repair_a_part_of_the_video_is_left_and_the_title_says_so():
    leaky, repaired = (look(1.0, zero, 20)[0].alt for zero in (False, True))
    assert "6.8 % of the video left in the noise" in leaky and "left in the noise" not in repaired


def test_more_shift_moves_the_balance_towards_the_clean_end():
    balance = [int(look(shift, True, 20)[1].split("equal at timestep ")[1].split(".")[0]) for shift in (1.0, 3.0, 9.0)]
    assert balance[0] > balance[1] > balance[2]


def test_a_shift_of_three_takes_ln_3_from_the_logarithm_of_the_ratio():
    ratios = [[float(row.split()[2]) for row in look(s, False, 5)[0].table.splitlines()[1:]] for s in (1.0, 3.0)]
    assert np.allclose(np.subtract(*ratios), np.log(3), atol=0.02)


def test_every_control_reaches_the_picture():
    explorer = ScheduleExplorer()
    for name, value in dict(shift=3.0, zero_terminal=False, steps=5).items():
        explorer.controls[name].value = value
    assert "Shift 3, 5 steps" in explorer.view.value and "left in the noise" in explorer.view.value
