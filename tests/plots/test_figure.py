import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import pytest
from IPython.display import Image

from cogkit.plots import figure as module
from cogkit.plots.figure import MissingAltText, alt_text, describe, show


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
