"""Any function of the value at a hook point; the other edits of values are made of this."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from cogkit.interventions.editor import Editor, Intervention, InterventionError, Where, editable_points
from cogkit.interventions.labels import UNTOLD, label_of
from cogkit.recording.points import Point


@dataclass(frozen=True, eq=False)
class Edit(Intervention):
    patterns: tuple[str, ...]
    where: Where
    change: Callable[[Tensor], Tensor]
    label: str | None  # says what `change` does

    def __str__(self) -> str:
        label = f"edit<{self.label or label_of(self.change) or UNTOLD}>"
        return f"{label}({', '.join(filter(None, [*map(repr, self.patterns), str(self.where)]))})"

    def editor(self, pipe) -> "FunctionEditor":
        return FunctionEditor(pipe, editable_points(pipe, self.patterns, self.where), self)


class PointEditor(Editor):
    """Puts `changed(...)` in the place of a value, under the mask."""

    def edit(self, kind: str, layer: int | None, value: Tensor, step: int) -> Tensor:
        new = self.changed(kind, layer, value, step)
        if not isinstance(new, Tensor) or new.shape != value.shape:
            found = tuple(new.shape) if isinstance(new, Tensor) else type(new).__name__
            raise InterventionError(f"change gave {found} for {kind!r}; it must give a tensor of {tuple(value.shape)}")
        return torch.where(self.mask(kind, value), new.to(value), value)

    def changed(self, kind: str, layer: int | None, value: Tensor, step: int) -> Tensor:
        raise NotImplementedError


class FunctionEditor(PointEditor):
    def __init__(self, pipe, points: list[Point], what: Edit):
        super().__init__(pipe, points, what.where)
        self.change = what.change

    def changed(self, kind: str, layer: int | None, value: Tensor, step: int):
        return self.change(value)  # anything, which `edit` then checks


def edit(
    *patterns: str,
    change: Callable[[Tensor], Tensor],
    steps="all",
    branch: str = "both",
    heads="all",
    tokens=None,
    label: str | None = None,
) -> Edit:
    """Put `change(value)` in the place of the value at the hook points, where `steps`, ... and `tokens` say.

    `change` gets the whole value, batch rows first: (row, token, channel) of a stream, (row, head, token, channel) at
    attn.q, k, v and z with text before video, (row, channel) of AdaLN, (sample, frame, channel, y, x) of the sampler.
    Rows run branch by branch, "uncond" before "cond". It must not write into it. `label` is what a sweep's log calls
    `change`: by default, a number that follows from its code and from the numbers and arrays that it uses.
    """
    return Edit(patterns, Where(steps, branch, heads, tokens), change, label)
