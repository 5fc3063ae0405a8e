"""cogkit: CogVideoX taken apart. Names stand in the order in which a reader meets them; importing this is light."""

import importlib

from cogkit import plots, widgets

KIT = "cogkit-lab"  # another package is called cogkit too; this is how to tell them apart
__version__ = "0.1.0"

_HOME = {
    "environment": "environment",
    "load": "checkpoints",
    "Settings": "generation",
    "generate": "generation",
    "decode": "generation",
    "fit_preview": "preview",
    "record": "recording.record",
    "maps": "recording.selectors",
    "concepts": "recording.concepts",
    "acts": "recording.selectors",
    "Recipe": "recording.recipes",
    "trajectory": "recording.selectors",
    "open_run": "recording.runs",
    "modulation_table": "recording.modulation",
    "intervene": "interventions.intervene",
    "region": "interventions.regions",
    "reweight": "interventions.columns",
    "knock_out": "interventions.columns",
    "inject": "interventions.inject",
    "ablate": "interventions.ablate",
    "patch": "interventions.patch",
    "edit": "interventions.edit",
    "modulate": "interventions.modulate",
    "swap_prompt": "interventions.swap_prompt",
    "sweep": "interventions.sweep",
    "judged": "interventions.judged",
    "read_effects": "interventions.effects",
    "swap": "swapping",
    "read_clip": "clips",
    "write_clip": "clips",
    "filmstrip": "clips",
    "sample_scene": "world.scene",
    "render": "world.render",
    "caption": "world.captions",
    "read_video": "world.judge",
    "STYLE": "plots.figure",
    "show": "plots.figure",
    "check": "teaching",
    "predict": "teaching",
    "exercise": "teaching",
}
__all__ = ["KIT", "plots", "widgets", *_HOME]


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"cogkit has no {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f"cogkit.{_HOME[name]}"), name)


def __dir__():
    return __all__
