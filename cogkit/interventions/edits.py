"""Edits of values at hook points: any function of them, ablation of heads or activations, and AdaLN's vectors."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from cogkit.interventions.editor import Editor, Intervention, InterventionError, Where, editable_points, has_heads, near
from cogkit.interventions.sources import Source, check_run
from cogkit.interventions.regions import Region
from cogkit.recording.modulation import modulation_table
from cogkit.recording.points import Point
from cogkit.recording.runs import Run

MODES = ("zero", "mean", "resample")


@dataclass(frozen=True, eq=False)
class Edit(Intervention):
    patterns: tuple[str, ...]
    where: Where
    change: Callable[[Tensor], Tensor]
    label: str  # says what `change` does

    def __str__(self) -> str:
        return f"{self.label}({', '.join(filter(None, [*map(repr, self.patterns), str(self.where)]))})"

    def editor(self, pipe) -> "PointEditor":
        return PointEditor(pipe, editable_points(pipe, self.patterns, self.where), self.where, self.change)


class PointEditor(Editor):
    def __init__(self, pipe, points: list[Point], where: Where, change: Callable[[Tensor], Tensor]):
        super().__init__(pipe, points, where)
        self.change = change

    def edit(self, kind: str, layer: int | None, value: Tensor, step: int) -> Tensor:
        new = self.changed(kind, layer, value, step)
        if not isinstance(new, Tensor) or new.broadcast_to(value.shape).shape != value.shape:
            raise InterventionError(f"change must give a tensor like {tuple(value.shape)}, it gave {type(new).__name__}")
        return torch.where(self.mask(kind, value), new.to(value), value)

    def changed(self, kind: str, layer: int | None, value: Tensor, step: int) -> Tensor:
        return self.change(value)


def edit(
    *patterns: str, change: Callable[[Tensor], Tensor], steps="all", branch: str = "both", heads="all", tokens=None
) -> Edit:
    """Put `change(value)` in the place of the value at the hook points, where `steps`, ... and `tokens` say.

    `change` gets the whole value, as the recorder's table of hook points shapes it, with batch rows first: branch by
    branch ("uncond" before "cond"), sample by sample. It must not change it in place.
    """
    name = getattr(change, "__qualname__", type(change).__name__)
    return Edit(patterns, Where(steps, branch, heads, tokens), change, f"edit<{name}>")


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
        super().__init__(pipe, points, what.where, lambda value: value)
        self.mode, self.seed = what.mode, what.seed
        self.source = None if what.run is None else Source(what.run, points)
        if self.mode == "mean" and self.source is None:
            for point in points:
                if point.kind == "temb" or point.kind.startswith("adaln"):
                    raise InterventionError(f"{str(point)!r} has no tokens to take the mean of; give a run: from_=")

    def begin(self, layout) -> None:
        super().begin(layout)
        if self.source is not None:
            self.source.check(layout, self.steps, self.branches)
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
        axis = {True: 2, False: 1}[has_heads(kind)] if value.dim() < 5 else (1, 3, 4)
        if not has_heads(kind):
            return _mean(value, mask, axis)
        text = self.layout.text
        parts = [(value[:, :, part], mask[:, :, part]) for part in (slice(0, text), slice(text, None))]
        return torch.cat([_mean(v, m, axis).expand_as(v) for v, m in parts], axis)


def _mean(value: Tensor, mask: Tensor, axis) -> Tensor:
    kept = mask.expand_as(value)
    total = torch.where(kept, value, 0).float().sum(axis, keepdim=True)
    return (total / kept.sum(axis, keepdim=True).clamp(min=1)).to(value.dtype)


def ablate(
    *patterns: str,
    mode: str = "zero",
    from_: Run | None = None,
    seed: int = 0,
    steps="all",
    branch: str = "both",
    heads="all",
    tokens: Region | None = None,
) -> Ablation:
    """Take away what is particular about an activation; for whole heads, at "blocks.*.attn.z" (before to_out mixes them).

    `mode`: "zero"; "mean", over the ablated tokens of each sample, text and video apart (or with `from_` over a recorded
    run's samples too); "resample", the values of a sample of `from_` that is drawn with `seed`, the same at all points.
    """
    if mode not in MODES:
        raise InterventionError(near("mode", mode, MODES))
    if mode == "resample" and from_ is None:
        raise InterventionError("mode='resample' needs the run to draw from: from_=rec.run, recorded with acts()")
    if mode == "zero" and from_ is not None:
        raise InterventionError("mode='zero' takes nothing from a run; leave from_= out, or use 'mean' or 'resample'")
    return Ablation(patterns, Where(steps, branch, heads, tokens), mode, check_run(from_), seed)


@dataclass(frozen=True, eq=False)
class Modulation(Intervention):
    patterns: tuple[str, ...]
    where: Where
    times: float
    add: float
    channels: tuple[int, ...] | None
    train_timestep: int | None

    def __str__(self) -> str:
        names = ("times", "add", "channels", "train_timestep")
        notes = [f"{name}={getattr(self, name)}" for name in names]
        return f"modulate({', '.join(filter(None, [*map(repr, self.patterns), str(self.where), *notes]))})"

    def editor(self, pipe) -> "ModulationEditor":
        return ModulationEditor(pipe, editable_points(pipe, self.patterns, self.where), self)


class ModulationEditor(PointEditor):
    def __init__(self, pipe, points: list[Point], what: Modulation):
        super().__init__(pipe, points, what.where, lambda value: value)
        for point in points:
            if not point.kind.startswith("adaln"):
                raise InterventionError(f"{str(point)!r} is no AdaLN vector; choose 'blocks.*.adaln*', or use edit()")
        self.what = what
        self.channels = torch.ones(self.sizes.width, dtype=torch.bool)
        if what.channels is not None:
            self.channels[:] = False
            self.channels[list(what.channels)] = True
        self.table = None if what.train_timestep is None else modulation_table(pipe, [what.train_timestep])

    def changed(self, kind: str, layer: int | None, value: Tensor, step: int) -> Tensor:
        new = value
        if self.table is not None:
            norm, part, stream = kind.removeprefix("adaln").split(".")
            row = self.table.isel(train_timestep=0).sel(layer=layer, norm=int(norm), part=part, stream=stream)
            new = torch.from_numpy(row.values.copy()).to(value).expand_as(value)
        return torch.where(self.channels.to(value.device), new * self.what.times + self.what.add, value)


def modulate(
    *patterns: str,
    times: float = 1.0,
    add: float = 0.0,
    channels: Iterable[int] | None = None,
    train_timestep: int | None = None,
    steps="all",
    branch: str = "both",
) -> Modulation:
    """Edit AdaLN vectors, such as "blocks.*.adaln1.gate.video": multiply, then add.

    times=0.0 on a gate takes its sub-layer out. `train_timestep` (0..999) first puts in what the model would do
    at that timestep: modulation frozen in time.
    """
    if times == 1.0 and add == 0.0 and train_timestep is None:
        raise InterventionError("modulate() changes nothing; give times=, add= or train_timestep=")
    channels = None if channels is None else tuple(channels)
    return Modulation(patterns, Where(steps, branch), times, add, channels, train_timestep)
