"""Walk through the heads of a recorded run, layer by layer and step by step."""

from functools import partial

from cogkit.plots.figure import Picture
from cogkit.plots.heads import layer_heads, measured_steps, shares_of
from cogkit.plots.tables import percent
from cogkit.widgets.controls import stops
from cogkit.widgets.picture import Explorer


def look(run, step: int, layer: int) -> tuple[Picture, str]:
    """The heads of `layer` at `step` of a run with maps("frame->frame")."""
    own, text = shares_of(run, step, layer)
    low, high = int(own.values.argmin()), int(own.values.argmax())
    return layer_heads(run, step, layer), (
        f"Own frame: {percent(float(own[low]))} (head {int(own['head'][low])}) to {percent(float(own[high]))} "
        f"(head {int(own['head'][high])}). Text takes "
        f"{percent(float(text.min()))} to {percent(float(text.max()))} of a head's attention, "
        f"{percent(float(text.mean()))} on average."
    )


class HeadExplorer(Explorer):
    """`run`: a Run with maps("frame->frame", heads="each"); the sliders stop at what was measured."""

    def __init__(self, run):
        steps = measured_steps(run)
        layers = run["frame->frame"].layer.values.tolist()
        super().__init__(
            partial(look, run),
            step=stops("step", steps, steps[0]),
            layer=stops("layer", layers, layers[0]),
        )
