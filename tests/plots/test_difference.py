import numpy as np
import pytest

from cogkit.plots.difference import difference_strip, run_difference
from cogkit.plots.figure import PlotError


def test_the_difference_of_two_clips_is_counted_where_it_is(clip, numbers):
    other = clip.copy()
    other[4, :16] += 30
    picture = difference_strip(clip, other, ("plain", "edited"))
    assert (
        picture.get_suptitle() == "6 % of the pixels differ by more than 8 of 255 levels"
    )  # half of one frame of nine
    assert "largest in frame 4" in picture.alt
    assert numbers(picture)[4] == ["4", "15", "30", "50", "%"] and numbers(picture)[3][1] == "0"


def test_equal_clips_and_equal_runs_are_called_equal(run, clip):
    assert difference_strip(clip, clip / 255).get_suptitle() == "The two clips are equal, every pixel of them"
    assert run_difference(run, run).get_suptitle() == "The two runs are equal at every step"


def test_two_runs_are_compared_step_by_step(run, numbers):
    other = run["trajectory"].copy(deep=True)
    other["x0"][2:] *= 1.5
    picture = run_difference(run, other, ("plain", "edited"))
    assert picture.get_suptitle() == "Half of the final difference is there at step 2 of 4"
    assert [row[1] for row in numbers(picture)] == ["0", "0", "0.5", "0.5"]


def test_two_runs_that_come_closer_are_not_said_to_part(run):
    still = run["trajectory"].copy(deep=True)
    still["x0"][:] = still["x0"][-1].values
    other = still.copy(deep=True)
    other["x0"][:] *= np.linspace(2, 1.5, 4)[:, None, None, None, None]
    title = run_difference(still, other).get_suptitle()
    assert title == "The difference goes from 100 % of the latents' size to 50 %"


def test_clips_and_runs_of_two_sizes_are_refused_with_both(run, clip):
    with pytest.raises(PlotError, match=r"one is \(9, 32, 32, 3\) and other is \(5, 32, 32, 3\)"):
        difference_strip(clip, clip[:5])
    with pytest.raises(PlotError, match="one is .'step': 4.* and other is .'step': 2"):
        run_difference(run, run["trajectory"].isel(step=slice(2)))
    with pytest.raises(PlotError, match="one goes from -1 to 1; give uint8"):
        difference_strip(np.linspace(-1, 1, clip.size).reshape(clip.shape), clip)
