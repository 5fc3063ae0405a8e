import numpy as np

from cogkit.plots.figure import alt_text
from cogkit.plots.localisation import localisation_figure


def test_the_figure_says_which_recipe_leads():
    calls = {"noised": ([999, 599], np.random.default_rng(0).random((2, 3, 2)))}
    figure = localisation_figure(calls, {"share": [0.7, 0.9], "mass": [0.4, 0.6]}, 0.9)
    assert alt_text(figure).endswith("highest mean: share, 0.80")


def test_every_call_and_every_clip_is_in_the_picture():
    found = np.random.default_rng(0).random((2, 3, 2))
    calls = {"generated": ([999, 599], found), "noised": ([999, 599], found)}
    figure = localisation_figure(calls, {"share": [0.7, 0.9], "mass": [0.4, 0.6]}, 0.9)
    first, second, *_, dots = figure.axes
    assert all((panel.images[0].get_array() == found.reshape(2, 6).T).all() for panel in (first, second))
    assert [label.get_text() for label in dots.get_yticklabels()] == ["mass", "share"]
    assert sorted(dots.lines[0].get_xdata()) == [0.4, 0.6]
