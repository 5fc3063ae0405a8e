"""The controls that say what of a run to look at: a view, and a step, a word, a layer, a head of it."""

import ipywidgets as widgets

from cogkit.generation import Generation
from cogkit.plots.gates import PARTS
from cogkit.widgets.settings_form import labelled
from cogkit.widgets.views import DIRECTIONS

VIEWS = {  # function of cogkit.widgets.views: (name on screen, the controls it has)
    "latents": ("latents and x0", ("step", "pipe")),
    "words": ("words", ("word", "relation", "step", "layer", "head")),
    "heads": ("heads", ("step", "layer", "head")),
    "modulation": ("modulation", ("part", "step", "layer")),
    "compared": ("compared with the pinned run", ("steps",)),
}
ALL = ("all", "all")  # a choice whose value is None cannot be shown as chosen
DRAWN_BY = ("a linear map", "the VAE decoder")
COMPARED = ("the frames", "x0 at every step")


class Scrubber(widgets.VBox):
    """`scrubber.view` is a function's name, `scrubber.choices` its arguments. `on_change()` follows every change."""

    def __init__(self, pipe, on_change):
        self.pipe, self.on_change, self._silent, self.each_head = pipe, on_change, True, True
        views = [(name, view) for view, (name, _) in VIEWS.items()]
        self.views = labelled(widgets.Dropdown, "look at", "32em", options=views)
        self.controls = {
            "word": labelled(widgets.Dropdown, "word"),
            "relation": labelled(widgets.Dropdown, "direction", "32em", options=list(DIRECTIONS.items())),
            "part": labelled(widgets.Dropdown, "part", options=PARTS[::-1]),
            "step": labelled(widgets.SelectionSlider, "step", "47em", options=[ALL]),
            "layer": labelled(widgets.Dropdown, "layer", options=[ALL]),
            "head": labelled(widgets.Dropdown, "head", options=[ALL]),
            "pipe": labelled(widgets.Dropdown, "draw x0 by", "32em", options=list(DRAWN_BY)),
            "steps": labelled(widgets.Dropdown, "compare", "32em", options=list(COMPARED)),
        }
        for control in (self.views, *self.controls.values()):
            control.observe(self._changed, names="value")
        super().__init__([self.views, *self.controls.values()], layout=widgets.Layout(width="min(47em, 98%)"))
        self._silent = False
        self._show_what_matters()

    @property
    def view(self) -> str:
        return self.views.value

    @property
    def choices(self) -> dict:
        chosen = {name: self.controls[name].value for name in self._that_matter()}
        meant = {"all": None, DRAWN_BY[0]: None, DRAWN_BY[1]: self.pipe, COMPARED[0]: False, COMPARED[1]: True}
        return {name: value if name == "word" else meant.get(value, value) for name, value in chosen.items()}

    def offer(self, made: Generation) -> None:
        """What this run has: words, steps, layers, heads. A choice that is still there is kept; nothing is told."""
        maps, trajectory = made.run["video->text"], made.run["trajectory"]
        self.each_head = "head" in maps.dims  # a large run has the words' maps of all heads together
        steps = zip(trajectory.step.values.tolist(), trajectory.train_timestep.values.tolist(), strict=True)
        offered = {
            "word": [(word, word) for word in maps.word.values.tolist()],
            "step": [ALL, *((f"{step} (timestep {time})", step) for step, time in steps)],
            "layer": [ALL, *((str(k), k) for k in maps.layer.values.tolist())],
            "head": [ALL, *((str(k), k) for k in made.run["frame->frame"]["head"].values.tolist())],
        }
        self._silent = True
        for name, options in offered.items():
            control, values = self.controls[name], [value for _, value in options]
            before = control.value
            if list(control.options) != options:
                control.options = options
                control.value = before if before in values else _first(name, values)
        self._show_what_matters()
        self._silent = False

    def _changed(self, change) -> None:
        self._show_what_matters()
        if not self._silent:
            self.on_change()

    def _that_matter(self) -> list[str]:
        absent = "head" if self.view == "words" and not self.each_head else None
        return [name for name in VIEWS[self.view][1] if name != absent]

    def _show_what_matters(self) -> None:
        for name, control in self.controls.items():
            control.layout.display = None if name in self._that_matter() else "none"


def _first(name: str, values: list):
    """A word says more than an article."""
    return next((value for value in values if len(value) > 2), values[0]) if name == "word" else values[0]
