"""One look for every figure, and a sentence with each for those who cannot see it."""

import io

import matplotlib.pyplot as plt
from IPython.display import Image, display
from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart with every kind of colour vision.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000")
STYLE = {
    "axes.prop_cycle": plt.cycler(color=COLOURS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "font.size": 11,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "image.interpolation": "nearest",
}
DPI = 56  # a notebook stays below 400 kB


def describe(figure: Figure, alt: str) -> Figure:
    """Give a figure its sentence; `alt_text` reads it back."""
    figure.set_label(alt)
    return figure


def alt_text(figure: Figure) -> str:
    return figure.get_label()


def show(figure: Figure, alt: str = "") -> None:
    """Display a figure as a PNG that carries its alt text, and close it.

    Raises ValueError for a figure without a sentence: give `alt`, or describe() it.
    """
    alt = alt or alt_text(figure)
    if not alt:
        raise MissingAltText("this figure has no alt text: show(figure, 'what it shows, in a sentence')")
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=DPI, metadata={"Software": None})
    plt.close(figure)
    display(Image(png.getvalue(), format="png", alt=alt))


class MissingAltText(ValueError):
    """A figure that says nothing to those who cannot see it."""
