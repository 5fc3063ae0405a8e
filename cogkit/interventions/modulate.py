"""Expert AdaLN, taken by hand: shift, scale and gate of either stream."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cogkit.interventions.edit import PointEditor
from cogkit.interventions.editor import Intervention, InterventionError, Where, editable_points
from cogkit.recording.modulation import modulation_table
from cogkit.recording.points import Point, choose


@dataclass(frozen=True, eq=False)
class Modulation(Intervention):
    patterns: tuple[str, ...]
    where: Where
    times: int | float
    add: int | float
    channels: object
    train_timestep: int | None

    def __str__(self) -> str:
        names = ("times", "add", "channels", "train_timestep")
        notes = [f"{name}={getattr(self, name)}" for name in names]
        return f"modulate({', '.join(filter(None, [*map(repr, self.patterns), str(self.where), *notes]))})"

    def editor(self, pipe) -> "ModulationEditor":
        return ModulationEditor(pipe, editable_points(pipe, self.patterns, self.where), self)


class ModulationEditor(PointEditor):
    def __init__(self, pipe, points: list[Point], what: Modulation):
        super().__init__(pipe, points, what.where)
        for point in points:
            if not point.kind.startswith("adaln"):
                raise InterventionError(f"{str(point)!r} is no AdaLN vector; choose 'blocks.*.adaln*', or use edit()")
        self.what = what
        self.channels = torch.zeros(self.sizes.width, dtype=torch.bool)
        self.channels[choose("channels", what.channels, self.sizes.width)] = True
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
    times: int | float = 1.0,
    add: int | float = 0.0,
    channels="all",
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
    return Modulation(patterns, Where(steps, branch), times, add, channels, train_timestep)
