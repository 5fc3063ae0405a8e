import numpy as np
import pytest

from cogkit.plots.figure import PlotError
from cogkit.plots.steps import trajectory_strip


def test_the_strip_says_when_x0_is_settled(run, numbers):
    picture = trajectory_strip(run)
    assert picture.get_suptitle() == "From step 1 of 4 on, x0 is within 50 % of its end"
    assert picture.alt.endswith(f"of its size away from its end. {picture.get_suptitle()}.")
    assert numbers(picture)[1] == ["1", "749", "0.9", "0.4"] and numbers(picture)[3][-1] == "0"


def test_every_step_is_there_with_its_train_timestep_and_long_runs_go_on_below(run):
    picture = trajectory_strip(run, columns=3)
    titles = [[label.get_text() for label in axes.get_xticklabels()] for axes in picture.axes]
    assert titles == [["0 (999)", "1 (749)", "2 (499)"], [], ["3 (249)"], []]
    assert [len(axes.images) for axes in picture.axes] == [3, 3, 1, 1]


def test_the_colours_and_the_latent_frame_are_ones_own_choice(run):
    def colours(latents):
        return np.broadcast_to((latents[:, :1] > 0).transpose(0, 2, 3, 1) * np.uint8(200), (3, 8, 8, 3)).astype(
            np.uint8
        )

    picture = trajectory_strip(run, colours, frame=1)
    assert (picture.axes[1].images[2].get_array() == colours(run["x0"].values[2])[1]).all()


def test_of_an_interrupted_run_only_the_steps_that_were_made_are_drawn(run):
    stopped = run["trajectory"].copy(deep=True)
    for name in ("x0", "latents"):
        stopped[name][2:] = np.nan
    picture = trajectory_strip(stopped)
    assert [label.get_text() for label in picture.axes[0].get_xticklabels()] == ["0 (999)", "1 (749)"]
    assert picture.get_suptitle() == "From step 1 of 2 on, x0 is within 50 % of its end"
    stopped["x0"][:] = np.nan
    with pytest.raises(PlotError, match="holds no step: the run stopped before its first one ended; run it again"):
        trajectory_strip(stopped)


def test_a_trajectory_without_x0_is_refused(run):
    with pytest.raises(PlotError, match="no 'x0'; record trajectory"):
        trajectory_strip(run["trajectory"].drop_vars("x0"))
