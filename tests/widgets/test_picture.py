"""A picture in a widget says in words what it shows, and a refused setting is a sentence."""

import ipywidgets as widgets
import matplotlib.pyplot as plt
import pytest

from cogkit.plots.figure import MissingAltText, Picture, describe, picture
from cogkit.widgets.picture import Explorer, as_html


@picture
def line(height: float, alt: str = "a flat line"):
    figure, axes = plt.subplots(FigureClass=Picture)
    axes.plot([0, 1], [height, height])
    return describe(figure, f"{alt} at {height}", table=f"height {height}")


def look(height):
    if height > 5:
        raise ValueError(f"height={height} is above 5")
    return line(height), f"The line is at {height}."


def explorer():
    return Explorer(look, height=widgets.IntSlider(value=1, min=0, max=9, description="height"))


def test_moving_a_control_changes_picture_alt_text_read_out_and_numbers():
    box = explorer()
    before = box.view.value
    box.controls["height"].value = 3
    assert box.view.value.split("alt=")[0] != before.split("alt=")[0]
    assert 'alt="a flat line at 3"' in box.view.value
    assert "The line is at 3." in box.view.value and "height 3" in box.view.value


def test_an_impossible_setting_is_a_sentence_and_the_next_setting_works():
    box = explorer()
    box.controls["height"].value = 7
    assert "height=7 is above 5" in box.view.value and "<img" not in box.view.value
    box.controls["height"].value = 2
    assert "<img" in box.view.value


def test_words_are_escaped():
    figure = line(1, alt='a "<b>" line')
    assert "&lt;b&gt;" in as_html(figure, "1 < 2") and "1 &lt; 2" in as_html(figure, "1 < 2")
    plt.close(figure)


def test_a_figure_without_alt_text_is_refused():
    with pytest.raises(MissingAltText):
        as_html(Picture(), "")


def test_no_figure_stays_open():
    box, open_before = explorer(), plt.get_fignums()
    box.controls["height"].value = 4
    assert plt.get_fignums() == open_before
