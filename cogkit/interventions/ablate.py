"""Ablation: without what is particular about a head, or about any other activation, what is missing?"""

from dataclasses import dataclass

import torch
from torch import Tensor

from cogkit.interventions.edit import PointEditor
from cogkit.interventions.editor import Intervention, InterventionError, Where, editable_points, has_heads, near
from cogkit.interventions.sources import Source, check_run
from cogkit.recording.points import SAMPLER, Point
from cogkit.recording.runs import Run

MODES = ("zero", "mean", "resample")


@dataclass(frozen=True, eq=False)
class Ablation(Intervention):
    patterns: tuple[str, ...]
    where: Where
    mode: str
    run: Run | None
    seed: int

    def __str__(self) -> str:
        notes = [f"mode={self.mode}", *([f"from_={Source.describe(self.run)}, seed={self.seed}"] if self.run else [])]
        return f"ablate({', '.join(filter(None, [*map(repr, self.patterns), str(self.where), *notes]))})"

    def editor(self, pipe) -> "AblationEditor":
        return AblationEditor(pipe, editable_points(pipe, self.patterns, self.where), self)


class AblationEditor(PointEditor):
    def __init__(self, pipe, points: list[Point], what: Ablation):
        super().__init__(pipe, points, what.where)
        self.mode, self.seed = what.mode, what.seed
        self.source = None if what.run is None else Source(what.run, points)
        if self.mode == "mean" and self.source is None:
            for point in points:
                if point.kind == "temb" or point.kind.startswith("adaln"):
                    raise InterventionError(f"{str(point)!r} has no tokens to take the mean of; give a run: from_=")

    def begin(self, layout) -> None:
        super().begin(layout)
        if self.source is not None:
            self.source.check(self.steps, self.branches)
            draw = torch.Generator().manual_seed(self.seed)
            self.donors = torch.randint(self.source.samples, (layout.samples,), generator=draw).tolist()

    def changed(self, kind: str, layer: int | None, value: Tensor, step: int) -> Tensor:
        if self.mode == "zero":
            return torch.zeros_like(value)
        if self.mode == "resample":
            return self.source.rows(kind, layer, step, self.layout, self.donors, value)
        if self.source is None:
            return self.token_mean(kind, value, self.mask(kind, value))
        everyone = list(range(self.source.samples))
        found = [self.source.rows(kind, layer, step, self.layout, [s] * self.layout.samples, value) for s in everyone]
        return self.token_mean(kind, torch.stack(found).mean(0), self.mask(kind, value))

    def token_mean(self, kind: str, value: Tensor, mask: Tensor) -> Tensor:
        """The mean over the edited tokens, of text and of video apart, of each row and head."""
        if kind == "temb" or kind.startswith("adaln"):
            return value
        if not has_heads(kind):
            return _mean(value, mask, (1, 3, 4) if kind in SAMPLER else 1)
        text = self.layout.text
        both = slice(0, text), slice(text, None)
        return torch.cat([_mean(value[:, :, part], mask[:, :, part], 2) for part in both], 2)


def _mean(value: Tensor, mask: Tensor, axes) -> Tensor:
    """Over `axes`, of what is under the mask, in the shape of `value`."""
    kept = mask.expand_as(value)
    total = torch.where(kept, value, 0).float().sum(axes, keepdim=True)
    return (total / kept.sum(axes, keepdim=True).clamp(min=1)).to(value.dtype).expand_as(value)


def ablate(
    *patterns: str,
    mode: str = "zero",
    from_=None,
    seed: int = 0,
    steps="all",
    branch: str = "both",
    heads="all",
    tokens=None,
) -> Ablation:
    """Take away what is particular about an activation; heads, at "blocks.*.attn.z", before to_out mixes them.

    `mode`: "zero"; "mean", over the ablated tokens of each sample, text and video apart (with `from_`, over a recorded
    run's samples too); "resample", a sample of `from_` that is drawn with `seed`, the same at all points.
    """
    if mode not in MODES:
        raise InterventionError(near("mode", mode, MODES))
    if mode == "resample" and from_ is None:
        raise InterventionError("mode='resample' needs the run to draw from: from_=rec.run, recorded with acts()")
    if mode == "zero" and from_ is not None:
        raise InterventionError("mode='zero' takes nothing from a run; leave from_= out, or use 'mean' or 'resample'")
    return Ablation(patterns, Where(steps, branch, heads, tokens), mode, check_run(from_), seed)
