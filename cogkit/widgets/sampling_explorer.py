"""Two steps: load a model, enter a prompt. Then scrub through the run, pin it, change one thing, and compare."""

import html
import re
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import ipywidgets as widgets
import matplotlib.pyplot as plt
from diffusers import CogVideoXPipeline

from cogkit.generation import Settings
from cogkit.page import write_run
from cogkit.plots.figure import PlotError
from cogkit.widgets import views
from cogkit.widgets.code import code_for
from cogkit.widgets.picture import as_html, refusal
from cogkit.widgets.result import result_html
from cogkit.widgets.scrubber import Scrubber
from cogkit.widgets.session import BUSY, DECODER, RUN, BusyError, Session, Stopped
from cogkit.widgets.settings_form import SettingsForm, labelled

PROMPT = Settings("a red circle moving right on a gray background")


class SamplingExplorer(widgets.VBox):
    """`SamplingExplorer(pipe)` as the last line of a cell. `pipe`: any CogVideoX pipeline for text.

    It runs in a thread, so the notebook stays usable; leave the pipeline alone meanwhile. `settings` fills the form.
    """

    def __init__(self, pipe: CogVideoXPipeline, settings: Settings = PROMPT):
        self.pipe, self.session, self.looking = pipe, Session(pipe, self._stepped, self._ended), Lock()
        self.form, self.scrubber = SettingsForm(settings), Scrubber(pipe, self.look)
        self.generate = _button("Generate", self._generate, "primary")
        self.stop = _button("Stop", self._stop, "warning", disabled=True)
        self.pin = _button("Pin this run", self._pin, disabled=True)
        self.save = _button("Save this run", self._save, disabled=True)
        self.folder = labelled(widgets.Text, "save in folder", "32em")
        self.progress = widgets.IntProgress(description="progress", style={"description_width": "10em"})
        self.progress.layout = widgets.Layout(width="min(47em, 98%)")
        self.status, self.result, self.view = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.code = labelled(widgets.Textarea, "copy as code", "60em", rows=14)
        buttons = widgets.HBox([self.generate, self.stop], layout=widgets.Layout(margin="0 0 0 10.5em"))
        keeping = widgets.HBox([self.pin, self.save, self.folder], layout=widgets.Layout(flex_flow="row wrap"))
        self.made = widgets.VBox([self.result, keeping, self.scrubber, self.view, self.code])
        self.made.layout.display = "none"
        super().__init__([self.form, buttons, self.progress, self.status, self.made])
        self._say("Enter a prompt and press Generate.")

    def __repr__(self) -> str:
        return "SamplingExplorer: prompt, settings, Generate. Run this cell to use it."

    def look(self) -> None:
        """Draw what the controls ask for, and write the code for it."""
        with self.looking:  # what is asked for, the picture and the code belong together
            made, pinned = self.session.made, self.session.pinned
            if made is None:
                return
            view, choices = self.scrubber.view, self.scrubber.choices
            others = (pinned,) if view == "compared" else ()
            try:
                if others == (None,):
                    raise PlotError("no run is pinned; press “Pin this run”, change something and generate again")
                self.code.value = code_for(self.pipe, made, view, choices, *others)
                if choices.get("pipe") and not BUSY.acquire(blocking=False):
                    raise BusyError(DECODER)
                try:
                    figure, readout = getattr(views, view)(made, *others, **choices)
                    self.view.value = as_html(figure, readout)
                    plt.close(figure)
                finally:
                    if choices.get("pipe"):
                        BUSY.release()
            except Exception as error:
                self.view.value = refusal(error)

    def _generate(self, button=None) -> None:
        def begin() -> None:
            self.progress.value, self.progress.max = 0, max(self.form.settings.steps, 1)
            self.session.start(self.form.settings)

        self._begin("The text is being encoded.", begin)

    def _begin(self, sentence: str, begin: Callable[[], None]) -> None:
        """`begin` gives the thread its work. A press in the meantime is refused and leaves the buttons as they are, but
        that a run of another explorer, which may have lost its own Stop, can be stopped from here.
        """
        if busy := self.session if self.session.running else Session.at_work:
            self.stop.disabled = self.stop.disabled and (busy is self.session or busy.doing != RUN)
            self.status.value = refusal(BusyError(busy.doing))
            return
        try:
            self._set_running(True)
            self._say(sentence)
            begin()
        except Exception as error:
            self._set_running(False)
            self.status.value = refusal(error)

    def _stop(self, button=None) -> None:
        if self.stop.disabled:  # pressed too late: the run has ended
            return
        self.stop.disabled = True
        if self.session.running:
            self._say(f"Stopping after {'this step' if self.progress.value < self.progress.max else 'these frames'}.")
        else:
            there = Session.at_work is not None
            self._say(f"The other run {'ends after its step' if there else 'has ended'}. Then press Generate.")
        self.session.stop()

    def _pin(self, button=None) -> None:
        self.session.pin()
        self.result.value = result_html(self.session.made, self.session.pinned)
        self._say("Pinned. Change something, generate again, and look at “compared with the pinned run”.")
        self.look()

    def _save(self, button=None) -> None:
        def work() -> None:
            page = write_run(Path(self.folder.value).expanduser(), self.session.made, self.pipe)
            self._saved = f"Saved: open {page}"

        def begin() -> None:
            self.stop.disabled = True
            self.session.do(work)

        self._begin("Drawing the report of this run.", begin)

    _saved = ""

    def _stepped(self, done: int, steps: int, seconds: float) -> None:
        self.progress.value = done
        if self.stop.disabled:  # it was pressed, and has said so
            return
        left = f", about {seconds:.0f} seconds left" if done < steps else ". The frames are being decoded"
        self._say(f"Step {done} of {steps}{left}.")

    def _ended(self, error: BaseException | None) -> None:
        self.stop.disabled = True
        try:
            if error is None and not self._saved:
                self._show_run()
            if isinstance(error, Stopped):
                self._say(f"{error}. Nothing was kept of it; what you see is as it was.")
            elif error is not None:
                self.status.value = refusal(error)
            else:
                self._say(self._saved or "Done.")
        except Exception as wrong:
            self.status.value = refusal(wrong)
        finally:
            self._saved = ""
            self._set_running(False)

    def _show_run(self) -> None:
        made = self.session.made
        self.result.value = result_html(made, self.session.pinned)
        slug = re.sub(r"[^a-z0-9]+", "-", made.settings.prompt.lower()).strip("-")[:60]
        self.folder.value = f"outputs/{slug}-seed-{made.settings.seed}"
        self.scrubber.offer(made)
        self.look()
        self.made.layout.display = None

    def _set_running(self, running: bool) -> None:
        self.generate.disabled, self.stop.disabled = running, not running
        self.pin.disabled = self.save.disabled = running or self.session.made is None

    def _say(self, text: str) -> None:
        self.status.value = f'<p role="status" style="margin: 0 0 0 10.5em">{html.escape(text)}</p>'


def _button(label: str, pressed, style: str = "", disabled: bool = False) -> widgets.Button:
    button = widgets.Button(description=label, button_style=style, disabled=disabled)
    button.on_click(pressed)
    return button
