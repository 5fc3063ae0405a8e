"""A figure as the *value* of an HTML widget: what Lab, Colab, ipywidgets 7 and 8 and an untrusted notebook all show.

No Output widget and no `interact`: what they print ends up twice in Colab and never in a stored notebook.
"""

import base64
import html
import traceback
from collections.abc import Callable, Sequence

import ipywidgets as widgets
import matplotlib.pyplot as plt

from cogkit.plots.figure import MissingAltText, Picture, png, stacked


def as_html(figure: Picture, readout: str) -> str:
    """The figure with its alt text, one line that says in words what is seen, and its table folded away.

    Raises MissingAltText for a figure without a sentence.
    """
    if not figure.alt:
        raise MissingAltText("this figure has no alt text: describe(figure, 'what it shows, in a sentence')")
    pixels = base64.b64encode(png(figure)).decode()
    parts = [
        f'<img src="data:image/png;base64,{pixels}" alt="{html.escape(figure.alt)}" style="max-width: 100%">',
        f'<p role="status" style="line-height: 1.4">{html.escape(readout)}</p>',
    ]
    if figure.table:
        parts.append(f"<details><summary>the numbers</summary><pre>{html.escape(figure.table)}</pre></details>")
    return "\n".join(parts)


def refusal(error: BaseException) -> str:
    """What stands in the picture's place when the controls ask for something that cannot be: the error's sentence.

    cogkit's own errors and a ValueError are sentences. Of any other error the kind comes first, and where it happened
    is folded away below: a callback has nobody else to tell.
    """
    ours = type(error).__module__.startswith("cogkit.") or type(error) is ValueError
    sentence = str(error) if ours else f"{type(error).__name__}: {error}"
    said = f'<p role="alert" style="line-height: 1.4"><b>Not possible:</b> {html.escape(sentence)}</p>'
    if ours:
        return said
    where = html.escape("".join(traceback.format_exception(error)))
    return f"{said}\n<details><summary>where it happened</summary><pre>{where}</pre></details>"


class Explorer(widgets.VBox):
    """Controls above one picture. `look(**values)` gives the picture and its read-out for the controls' values.

    `look` is a plain function of numbers, tested without widgets; this class only connects it. An error of `look` is
    shown in the picture's place, and the controls stay usable.
    """

    def __init__(self, look: Callable[..., tuple[Picture, str]], **controls: widgets.Widget):
        self.look, self.controls = look, controls
        self.view = widgets.HTML()
        for control in controls.values():
            control.observe(self._changed, names="value")
        super().__init__([*controls.values(), self.view])
        self._changed()

    def multiples(self, **settings: Sequence) -> Picture:
        """What the controls show, as one still picture: `multiples(frame=(0, 8, 9))` has a row for each of the three.

        Controls that are not named stay as they are. For a saved notebook, where nobody can move a slider.
        """
        now = {name: control.value for name, control in self.controls.items()}
        rows = [dict(zip(settings, row, strict=True)) for row in zip(*settings.values(), strict=True)]
        return stacked([self.look(**(now | row))[0] for row in rows])

    def __repr__(self) -> str:
        """What a saved notebook says in the widget's place; the same in every run. ipywidgets shows 110 letters."""
        labels = [control.description or name for name, control in self.controls.items()]
        return f"Run this cell to move the sliders: {', '.join(labels)}"

    def _changed(self, change=None) -> None:
        try:
            figure, readout = self.look(**{name: control.value for name, control in self.controls.items()})
            shown = as_html(figure, readout)
            plt.close(figure)
        except Exception as error:
            shown = refusal(error)
        self.view.value = shown
