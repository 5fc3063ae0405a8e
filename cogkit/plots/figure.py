"""One look for every figure, and words with each for those who cannot see it: a sentence, and a small table."""

import io
from collections.abc import Sequence
from functools import wraps
from threading import RLock

import matplotlib.pyplot as plt
from IPython.display import Image, display
from matplotlib.figure import Figure
from PIL import Image as Pixels

# Okabe and Ito's palette: told apart with every kind of colour vision.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000")
AMOUNT, SIGNED = "viridis", "RdBu_r"  # colour maps: from nothing to much, and from minus to plus; safe in the same way
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
DPI = 80  # with a palette, a notebook stays below 400 kB
SMALL = 60  # the same, where several pictures stand under each other
WIDTH = 10  # inches: of every figure, so that text has one size
DRAWING = RLock()  # the style is global: one picture is drawn at a time, whatever thread asks


class Picture(Figure):
    """What every plot returns: a matplotlib figure whose `alt` says what it shows and whose `table` has the numbers.

    As the last line of a cell it shows itself, once. Drawn in one style, whatever the rest of the notebook has set.
    """

    table: str = ""

    @property
    def alt(self) -> str:
        return alt_text(self)

    def suptitle(self, finding: str, **how):
        """On the left, and in as many lines as a narrow figure needs."""
        return super().suptitle(finding, **({"x": 0.01, "ha": "left", "wrap": True} | how))

    def draw(self, renderer) -> None:
        with DRAWING, plt.rc_context(STYLE):
            super().draw(renderer)

    def _ipython_display_(self) -> None:
        show(self)


def picture(draw):
    """Decorates what draws a Picture: everything in it is made in the one style."""

    @wraps(draw)
    def styled(*args, **kwargs):
        with DRAWING, plt.rc_context(STYLE):
            return draw(*args, **kwargs)

    return styled


def describe(figure: Figure, alt: str, table: str = "") -> Figure:
    """Give a figure its sentence (`alt_text` reads it back) and, if you have one, its table."""
    figure.set_label(alt)
    figure.table = table
    return figure


def alt_text(figure: Figure) -> str:
    return figure.get_label()


def png(figure: Figure) -> bytes:
    """The figure as a PNG of 256 colours, chosen for it: a fifth of the bytes. Numbers are not read off a picture: they
    are in its table.
    """
    pixels, small = _pixels(figure), io.BytesIO()
    found = pixels.quantize(256, Pixels.Quantize.FASTOCTREE, dither=Pixels.Dither.NONE)
    palette, paper = found.getpalette(), 3 * found.getpixel((0, 0))
    palette[paper : paper + 3] = pixels.getpixel((0, 0))  # the palette's nearest is a light gray
    found.putpalette(palette)
    found.save(small, format="png", optimize=True)
    return small.getvalue()


def stacked(pictures: Sequence[Figure]) -> Picture:
    """Pictures one under the other, somewhat smaller, and closed; their sentences and tables in the same order."""
    shown = [_pixels(figure, SMALL) for figure in pictures]
    page = Pixels.new("RGB", (max(p.width for p in shown), sum(p.height for p in shown)), "white")
    for k, pixels in enumerate(shown):
        page.paste(pixels, (0, sum(p.height for p in shown[:k])))
    whole = Picture(figsize=(page.width / DPI, page.height / DPI), dpi=DPI)
    whole.figimage(page, origin="upper")
    for figure in pictures:
        plt.close(figure)
    return describe(whole, " ".join(map(alt_text, pictures)), "\n\n".join(figure.table for figure in pictures))


def _pixels(figure: Figure, dpi: int = DPI) -> Pixels.Image:
    full = io.BytesIO()
    figure.savefig(full, format="png", dpi=dpi, metadata={"Software": None})
    return Pixels.open(full).convert("RGB")


def show(figure: Figure, alt: str = "") -> None:
    """Display a figure as a PNG that carries its alt text, and close it.

    Raises ValueError for a figure without a sentence: give `alt`, or describe() it.
    """
    alt = alt or alt_text(figure)
    if not alt:
        raise MissingAltText("this figure has no alt text: show(figure, 'what it shows, in a sentence')")
    shown = png(figure)
    plt.close(figure)
    display(Image(shown, format="png", metadata={"alt": alt}))  # IPython 7, which Colab has, knows no alt=


class MissingAltText(ValueError):
    """A figure that says nothing to those who cannot see it."""


class PlotError(ValueError):
    """Data whose axes or sizes do not fit the plot."""
