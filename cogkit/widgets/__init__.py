"""Sliders over the pictures: they connect controls to plots and have no logic of their own.

SamplingExplorer(pipe)      prompt, settings, Generate; then every step, word, head and layer of the run
"""

import importlib

_HOME = {
    "SamplingExplorer": "sampling_explorer",
}
__all__ = list(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"cogkit.widgets has no {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f"cogkit.widgets.{_HOME[name]}"), name)


def __dir__():
    return __all__
