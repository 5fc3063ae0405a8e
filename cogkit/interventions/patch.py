"""Activation patching: what another run had at a hook point, put into this one."""

from dataclasses import dataclass

from torch import Tensor

from cogkit.interventions.edit import PointEditor
from cogkit.interventions.editor import Intervention, Where, editable_points
from cogkit.interventions.sources import Source, check_run, donors
from cogkit.recording.points import Point
from cogkit.recording.runs import Run


@dataclass(frozen=True, eq=False)
class Patch(Intervention):
    patterns: tuple[str, ...]
    where: Where
    run: Run
    step: int | None
    sample: int | None

    def __str__(self) -> str:
        notes = [f"from_={Source.describe(self.run)}", f"from_step={self.step}, from_sample={self.sample}"]
        return f"patch({', '.join(filter(None, [*map(repr, self.patterns), str(self.where), *notes]))})"

    def editor(self, pipe) -> "PatchEditor":
        points = editable_points(pipe, self.patterns, self.where)
        return PatchEditor(pipe, points, self)


class PatchEditor(PointEditor):
    def __init__(self, pipe, points: list[Point], what: Patch):
        super().__init__(pipe, points, what.where)
        self.source, self.sample = Source(what.run, points, what.step), what.sample

    def begin(self, layout) -> None:
        super().begin(layout)
        self.source.check(self.steps, self.branches)
        self.samples = donors(self.sample, self.source.samples, layout.samples)

    def changed(self, kind: str, layer: int | None, value: Tensor, step: int) -> Tensor:
        return self.source.rows(kind, layer, step, self.layout, self.samples, value)


def patch(
    *patterns: str,
    from_,
    from_step: int | None = None,
    from_sample: int | None = None,
    steps="all",
    branch: str = "cond",
    heads="all",
    tokens=None,
) -> Patch:
    """Put the values of a recorded run (of the same or another prompt or seed) in the place of this one's.

    They come from the same hook point, branch, head and token, and from the same step, or always from `from_step`. A
    run of one sample goes into all samples; one of as many samples, into each its own; `from_sample` chooses one.
    `acts` records the branch "cond" unless told otherwise, so that is what is patched.
    Raises RunError or InterventionError for what that run does not hold.
    """
    return Patch(patterns, Where(steps, branch, heads, tokens), check_run(from_), from_step, from_sample)
