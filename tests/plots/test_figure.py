import io
import threading
import time

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from IPython.display import Image
from PIL import Image as Pixels

from cogkit.plots import figure as module
from cogkit.plots.figure import STYLE, MissingAltText, Picture, alt_text, describe, picture, png, show


def test_a_shown_figure_is_a_png_with_its_sentence_and_is_closed(monkeypatch):
    shown = []
    monkeypatch.setattr(module, "display", shown.append)
    figure = describe(plt.figure(figsize=(2, 1)), "a line that rises")
    show(figure)
    (image,) = shown
    assert isinstance(image, Image) and image.data[:4] == b"\x89PNG" and image.alt == "a line that rises"
    assert alt_text(figure) == "a line that rises" and not plt.fignum_exists(figure.number)


def test_a_figure_without_a_sentence_is_refused():
    with pytest.raises(MissingAltText, match="show\\(figure, 'what it shows"):
        show(plt.figure())


@picture
def drawn():
    figure = Picture(figsize=(3, 2))
    figure.subplots().set_title("a line that rises")
    return describe(figure, "a line that rises", "x  y")


def test_a_finding_that_is_wider_than_its_figure_goes_on_in_the_next_line():
    figure = drawn()
    title = figure.suptitle("what this shows, said in many words " * 3)
    png(figure)
    box = title.get_window_extent()
    assert box.x1 <= figure.bbox.x1 and box.height > 2 * title.get_fontsize()


def test_a_picture_shows_itself_once_with_its_sentence(monkeypatch):
    shown, before = [], plt.get_fignums()
    monkeypatch.setattr(module, "display", shown.append)
    drawn()._ipython_display_()
    assert [image.alt for image in shown] == ["a line that rises"] and plt.get_fignums() == before


def test_two_threads_draw_one_after_the_other_and_leave_the_style_as_it_was():
    at_work, seen, before = [], [], dict(plt.rcParams)

    @picture
    def slow():
        at_work.append(1)
        time.sleep(0.05)
        seen.append(len(at_work))
        at_work.pop()

    threads = [threading.Thread(target=slow) for _ in range(2)]
    for thread in threads:
        thread.start()
        time.sleep(0.02)
    for thread in threads:
        thread.join()
    assert seen == [1, 1] and dict(plt.rcParams) == before


def test_a_picture_has_its_table_and_the_one_style_whatever_is_set_outside():
    with plt.rc_context({"axes.titlelocation": "center", "font.size": 30}):
        made = drawn()
        small = png(made)
    assert made.table == "x  y" and made.axes[0].get_title("left") == "a line that rises"
    assert made.axes[0].title.get_fontsize() == STYLE["font.size"] * 1.2 and small == png(drawn())


def test_a_png_has_a_palette_and_stays_small(monkeypatch):
    figure = plt.figure(figsize=(10, 4))
    figure.add_axes((0, 0, 1, 1)).imshow(np.random.default_rng(0).random((320, 800, 3)))
    colours = {Pixels.open(io.BytesIO(data)).mode for data in (png(figure), png(drawn()))}
    assert colours == {"P"}
    full = io.BytesIO()
    figure.savefig(full, dpi=module.DPI)
    assert len(png(figure)) < full.tell() / 3


def test_the_paper_stays_white_and_the_rest_is_close():
    figure = plt.figure(figsize=(4, 4))
    figure.add_axes((0.1, 0.1, 0.8, 0.8)).imshow(np.linspace(-1, 1, 256).reshape(16, 16), cmap=module.SIGNED)
    full = io.BytesIO()
    figure.savefig(full, dpi=module.DPI)
    exact, small = (np.array(Pixels.open(f).convert("RGB")).astype(int) for f in (full, io.BytesIO(png(figure))))
    assert (small[0, 0] == 255).all() and np.abs(small - exact).max() < 40 and np.abs(small - exact).mean() < 4


def test_the_plots_are_found_under_one_name_and_a_wrong_one_is_answered():
    from cogkit import plots

    assert all(callable(getattr(plots, name)) for name in plots.__all__)
    assert plots.word_map.__name__ == "word_map"  # a function, not a module of that name
    with pytest.raises(AttributeError, match="cogkit.plots has no 'wordmap'; it has .*word_map"):
        plots.wordmap  # noqa: B018
