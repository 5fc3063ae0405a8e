"""The controls that decide a video, as one form: its value is a Settings."""

from dataclasses import fields

import ipywidgets as widgets

from cogkit.generation import DYNAMIC, SAMPLERS, Settings
from cogkit.noise import NOISES

WIDE = {"description_width": "10em"}
HALF, WHOLE = "23em", "47em"


def labelled(kind, label: str, width: str = HALF, **more) -> widgets.Widget:
    """A control with its label before it, quiet until it is left or Enter is pressed."""
    quiet = {"continuous_update": False} if "continuous_update" in kind.class_trait_names() else {}
    return kind(description=label, style=WIDE, layout=widgets.Layout(width=f"min({width}, 98%)"), **quiet, **more)


def _choice(options: dict[str, object]):
    return lambda label: labelled(widgets.Dropdown, label, options=list(options.items()))


CONTROLS = {  # field of Settings: (label, how it is made)
    "prompt": lambda: labelled(widgets.Textarea, "prompt", WHOLE, rows=2),
    "negative_prompt": lambda: labelled(widgets.Text, "negative prompt", WHOLE, placeholder="what it should not show"),
    "seed": lambda: labelled(widgets.IntText, "seed"),
    "noise": lambda: _choice({name: name for name in NOISES})("initial noise"),
    "steps": lambda: labelled(widgets.IntText, "steps"),
    "sampler": lambda: _choice({{"own": "the pipeline's own"}.get(name, name.upper()): name for name in SAMPLERS})(
        "sampler"
    ),
    "guidance": lambda: labelled(widgets.FloatText, "guidance", step=0.5),
    "dynamic_guidance": lambda: _choice({name: name for name in DYNAMIC})("dynamic guidance"),
    "frames": lambda: labelled(widgets.IntText, "frames", step=8),
    "height": lambda: labelled(widgets.IntText, "height", step=16),
    "width": lambda: labelled(widgets.IntText, "width", step=16),
}


class SettingsForm(widgets.VBox):
    """`form.settings` is what the controls say; setting it sets them all."""

    def __init__(self, settings: Settings):
        self.controls = {field.name: CONTROLS[field.name]() for field in fields(Settings)}
        self.settings = settings
        self.about_noise = widgets.HTML()
        self.controls["noise"].observe(self._explain, names="value")
        self._explain()
        rows = [["prompt"], ["negative_prompt"], ["seed", "noise"], ["steps", "sampler"]]
        rows += [["guidance", "dynamic_guidance"], ["frames"], ["height", "width"]]
        lines = [widgets.HBox([self.controls[name] for name in row]) for row in rows]
        for line in lines:
            line.layout.flex_flow = "row wrap"
        super().__init__([*lines[:3], self.about_noise, *lines[3:]])

    @property
    def settings(self) -> Settings:
        return Settings(**{name: control.value for name, control in self.controls.items()})

    @settings.setter
    def settings(self, settings: Settings) -> None:
        for name, control in self.controls.items():
            control.value = getattr(settings, name)

    def _explain(self, change=None) -> None:
        name = self.controls["noise"].value
        self.about_noise.value = f'<p style="margin: 0 0 0 10.5em; color: #555"><i>{name}</i>: {NOISES[name]}</p>'
