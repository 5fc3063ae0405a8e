import pytest
import torch

from cogkit.sampler.schedule import (
    CLEAN,
    Schedule,
    ScheduleError,
    cogvideox,
    next_timestep,
    shift_snr,
    spaced_timesteps,
)


def ladder(timesteps, steps=None):
    """Where each step goes."""
    return [next_timestep(t, timesteps, steps=steps) for t in timesteps]


@pytest.mark.parametrize(("shift", "first", "middle"), [(3.0, 0.997454, 0.095970), (1.0, 0.999150, 0.242359)])
def test_the_released_schedules_have_the_known_levels_and_end_in_pure_noise(shift, first, middle):
    alpha_bar = cogvideox(shift).alpha_bar
    assert float(alpha_bar[0]) == pytest.approx(first, abs=1e-6)
    assert float(alpha_bar[499]) == pytest.approx(middle, abs=1e-6)
    assert alpha_bar[999] == 0 and (alpha_bar.diff() < 0).all()


def test_the_shift_divides_the_signal_to_noise_ratio():
    alpha_bar = torch.tensor([0.9, 0.5, 0.1])
    shifted = shift_snr(alpha_bar, 3.0)
    torch.testing.assert_close(shifted / (1 - shifted), alpha_bar / (1 - alpha_bar) / 3)


def test_trailing_starts_from_pure_noise_and_linspace_takes_both_ends():
    assert spaced_timesteps(50)[:2] == [999, 979] and spaced_timesteps(50)[-1] == 19
    assert spaced_timesteps(5, "linspace") == [999, 749, 500, 250, 0]
    assert spaced_timesteps(5, "leading", offset=1) == [801, 601, 401, 201, 1]


@pytest.mark.parametrize("spacing", ["trailing", "linspace", "leading"])
@pytest.mark.parametrize("steps", [1, 7, 30, 50, 60, 61, 333, 1000])
def test_every_step_lands_on_the_next_rung_and_the_last_one_on_clean(steps, spacing):
    timesteps = spaced_timesteps(steps, spacing)
    assert len(timesteps) == steps
    assert ladder(timesteps) == [*timesteps[1:], CLEAN]


def test_as_released_seven_steps_miss_every_rung_and_stop_before_clean():
    timesteps = spaced_timesteps(7)
    assert timesteps == [999, 856, 713, 570, 428, 285, 142]
    assert ladder(timesteps, steps=7) == [857, 714, 571, 428, 286, 143, 0]


def test_as_released_61_steps_become_62_and_the_last_is_called_minus_one():
    assert spaced_timesteps(61, as_released=True) == [*spaced_timesteps(61), -1]


def test_one_linspace_step_starts_from_noise_but_as_released_from_the_clean_end():
    assert spaced_timesteps(1, "linspace") == [999]
    assert spaced_timesteps(1, "linspace", as_released=True) == [0]


def test_a_step_from_between_two_rungs_goes_to_the_lower_one():
    assert next_timestep(500, [999, 749, 499, 249]) == 499


def test_below_the_first_timestep_lies_the_finished_video():
    schedule = cogvideox()
    assert schedule.at(CLEAN) == 1 and schedule.at(0) == schedule.alpha_bar[0]


@pytest.mark.parametrize("steps", [0, 1001])
def test_a_number_of_steps_that_cannot_be_is_refused(steps):
    with pytest.raises(ScheduleError, match=f"steps={steps} does not fit: use 1 to 1000"):
        spaced_timesteps(steps)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ScheduleError, match="spacing='karras' is unknown; use trailing, linspace or leading"):
        spaced_timesteps(5, "karras")
    with pytest.raises(ScheduleError, match="beta_schedule='sigmoid' is unknown; use scaled_linear"):
        Schedule.from_config({"beta_schedule": "sigmoid", "num_train_timesteps": 10})
