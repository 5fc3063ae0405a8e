"""Values of a recorded run, laid out as the running one has them."""

from hashlib import sha1

import numpy as np
import torch
from torch import Tensor

from cogkit.interventions.editor import InterventionError
from cogkit.recording.layout import Layout
from cogkit.recording.points import SAMPLER, Point, choose
from cogkit.recording.runs import Run


def check_run(run) -> Run | None:
    if run is not None and not isinstance(run, Run):
        raise InterventionError(
            f"from_ is a {type(run).__name__}; give a finished recording: rec.run, or open_run(...)"
        )
    return run


def donors(chosen: int | None, there: int, here: int) -> list[int]:
    """For every sample here, the one of the other run that it gets. Raises UnknownPoint or InterventionError."""
    if chosen is not None:
        return choose("from_sample", chosen, there) * here
    if there not in (1, here):
        raise InterventionError(f"that run has {there} samples, this one {here}; choose one: from_sample=")
    return list(range(here)) if there == here else [0] * here


class Source:
    """Where a patch comes from: the same hook points and branches, by step; or always one step."""

    def __init__(self, run: Run, points: list[Point], step: int | None = None):
        self.run, self.points, self.step = run, points, step
        self.arrays = {str(point): run[str(point)] for point in points}  # raises RunError, with near matches
        self.samples = max(array.sizes.get("sample", 1) for array in self.arrays.values())

    @staticmethod
    def describe(run: Run) -> str:
        """The same for recordings of the same: their shapes, and a few of their numbers."""
        found = sha1()
        for name, data in run.datasets.items():
            for array in data.data_vars.values():
                last = array.isel({axis: -1 for axis in array.dims[:-1]}).values  # cheap also when on a disk
                found.update(repr((name, array.dims, array.shape, last.tolist())).encode())
        return f"run<{found.hexdigest()[:8]}>"

    def check(self, steps: set[int], branches: tuple[str, ...]) -> None:
        """Raises InterventionError, before anything is computed, for steps and branches that were not recorded."""
        for point in self.points:
            array = self.arrays[str(point)]
            wanted = steps if self.step is None else {self.step}
            if missing := wanted - set(array.step.values.tolist()):
                have = array.step.values.tolist()
                raise InterventionError(f"'{point}' was recorded at the steps {have}, not at {sorted(missing)}")
            if point.kind not in SAMPLER:
                have = array.branch.values.tolist()
                if missing := set(branches) - set(have):
                    raise InterventionError(
                        f"'{point}' was recorded in branch {have}, not in {sorted(missing)}; "
                        "record with branch='both', or give branch= here"
                    )
            if point.layer is not None and not array.measured.sel(step=sorted(wanted)).all():
                raise InterventionError(f"'{point}' was not computed in all of these steps of that run (a cache?)")

    def rows(self, kind: str, layer: int | None, step: int, layout: Layout, samples: list[int], like: Tensor) -> Tensor:
        """The recorded value for every batch row (rows of branches that were not recorded: `like` itself)."""
        array = self.arrays[str(Point(kind, layer))].sel(step=step if self.step is None else self.step)
        if kind in SAMPLER:
            return torch.stack([self._one(kind, array, sample, like) for sample in samples])
        found = []
        for number, branch in enumerate(layout.branches):
            if branch in array.branch.values:
                found += [self._one(kind, array.sel(branch=branch), sample, like) for sample in samples]
            else:
                found += [*like[number * layout.samples : (number + 1) * layout.samples]]
        return torch.stack(found)

    def _one(self, kind: str, array, sample: int, like: Tensor) -> Tensor:
        """One batch row of it; a recorded grid of frame, y, x becomes tokens."""
        values = (array.isel(sample=sample) if "sample" in array.dims else array).values
        if values.size != like[0].numel() or values.shape[-1] != like.shape[-1]:
            raise InterventionError(
                f"{kind!r} was recorded with the shape {values.shape}, here it is {tuple(like.shape[1:])}; "
                "record a run of the same size"
            )
        if np.isnan(values).any():
            what = f"{kind!r} is NaN at step {int(array.step)} of that run, which was cut short before, or went wrong"
            raise InterventionError(f"{what}; choose other steps or another run")
        return torch.from_numpy(np.ascontiguousarray(values)).reshape(like.shape[1:]).to(like)
