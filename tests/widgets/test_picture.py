"""A picture in a widget says in words what it shows, and a refused setting is a sentence."""

import io
import subprocess
import sys

import ipywidgets as widgets
import matplotlib.pyplot as plt
import pytest
from PIL import Image, ImageChops

from cogkit.plots.figure import MissingAltText, Picture, describe, picture, png
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


def test_an_error_that_nobody_expected_says_its_kind_and_where_it_happened():
    def lost(height):
        return {}[height] if height > 5 else look(height)

    box = Explorer(lost, height=widgets.IntSlider(value=1, min=0, max=9, description="height"))
    box.controls["height"].value = 7
    assert "KeyError: 7" in box.view.value and "return {}[height]" in box.view.value and "<img" not in box.view.value
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


def test_multiples_stand_under_each_other_in_the_order_asked_for_with_all_their_words():
    box = explorer()
    still = box.multiples(height=(1, 4, 2))
    assert still.alt == "a flat line at 1 a flat line at 4 a flat line at 2"
    assert still.table == "height 1\n\nheight 4\n\nheight 2"
    one = Image.open(io.BytesIO(png(box.multiples(height=[2]))))
    three = Image.open(io.BytesIO(png(still)))
    assert three.size == (one.width, 3 * one.height)
    last = three.crop((0, 2 * one.height, *three.size)).convert("L")
    assert ImageChops.difference(last, one.convert("L")).getextrema()[1] < 8
    assert box.controls["height"].value == 1


def test_what_a_saved_notebook_says_is_the_same_in_every_run_and_short():
    assert repr(explorer()) == repr(explorer()) == "Run this cell to move the sliders: height"


def test_every_explorer_is_found_by_name_and_importing_the_folder_is_light():
    from cogkit import widgets as sliders

    assert all(issubclass(getattr(sliders, name), widgets.VBox | widgets.HTML) for name in sliders.__all__)
    with pytest.raises(AttributeError, match="cogkit.widgets has no 'Explore'"):
        sliders.Explore  # noqa: B018
    code = "import cogkit.widgets, sys; print([m for m in ('torch', 'ipywidgets', 'matplotlib') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_controls_have_labels_and_are_quiet_while_they_are_dragged():
    from cogkit.widgets import HaloExplorer, ScheduleExplorer

    for box in (HaloExplorer(), ScheduleExplorer()):
        for control in box.controls.values():
            assert control.description and not getattr(control, "continuous_update", False)
