"""The controls of the explorers: with a label, operable by keyboard, and quiet until they are let go."""

from collections.abc import Iterable, Mapping

import ipywidgets as widgets

LABELLED = {"description_width": "11em"}  # wide enough for every label, which ipywidgets would cut off, and in line


def slider(label: str, low: int, high: int, value: int) -> widgets.IntSlider:
    return _laid_out(widgets.IntSlider, label, min=low, max=high, value=value, continuous_update=False)


def fine_slider(label: str, low: float, high: float, value: float, step: float) -> widgets.FloatSlider:
    more = dict(min=low, max=high, value=value, step=step, continuous_update=False)
    return _laid_out(widgets.FloatSlider, label, **more)


def stops(label: str, options: Iterable, value) -> widgets.SelectionSlider:
    """A slider that stops only where something can be shown."""
    return _laid_out(widgets.SelectionSlider, label, options=list(options), value=value, continuous_update=False)


def choice(label: str, options: Mapping[str, object] | Iterable, value) -> widgets.Dropdown:
    options = list(options.items()) if isinstance(options, Mapping) else list(options)
    return _laid_out(widgets.Dropdown, label, options=options, value=value)


def _laid_out(kind, label: str, **more):
    return kind(description=label, style=LABELLED, layout=widgets.Layout(width="min(36em, 95%)"), **more)
