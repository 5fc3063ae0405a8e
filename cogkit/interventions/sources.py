"""Values of a recorded run, laid out as the running one has them."""

from hashlib import sha1

import numpy as np
import torch
from torch import Tensor

from cogkit.interventions.editor import InterventionError
from cogkit.recording.layout import Layout
from cogkit.recording.points import SAMPLER, Point
from cogkit.recording.runs import Run


def check_run(run) -> Run | None:
    if run is not None and not isinstance(run, Run):
        raise InterventionError(f"from_ is a {type(run).__name__}; give the finished recording: rec.run, or open_run(...)")
    return run


class Source:
    """Where a patch comes from: the same hook points and branches, by step; or always one step."""

    def __init__(self, run: Run, points: list[Point], step: int | None = None, sample: int | None = None):
        self.run, self.points, self.step, self.sample = run, points, step, sample
        self.arrays = {str(point): run[str(point)] for point in points}  # raises RunError, with near matches
        counts = {array.sizes.get("sample", 1) for array in self.arrays.values()}
        self.samples = counts.pop()
        if sample is not None and not 0 <= sample < self.samples:
            raise InterventionError(f"from_sample={sample} is not in that run; it has {self.samples} of them, from 0")

    @staticmethod
    def describe(run: Run) -> str:
        """The same for recordings of the same: their shapes, and a few of their numbers."""
        found = sha1()
        for name, data in run.datasets.items():
            for array in data.data_vars.values():
                last = array.isel({axis: -1 for axis in array.dims[:-1]}).values  # cheap also when on a disk
                found.update(repr((name, array.dims, array.shape, last.tolist())).encode())
        return f"run<{found.hexdigest()[:8]}>"

    def check(self, layout: Layout, steps: set[int], branches: tuple[str, ...]) -> None:
        """Raises InterventionError, before anything is computed, for what was not recorded or has another shape."""
        if self.sample is None and self.samples not in (1, layout.samples):
            raise InterventionError(
                f"that run has {self.samples} samples, this one {layout.samples}; choose one of them: from_sample="
            )
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
            if point.layer is not None:
                measured = self.run.datasets[point.kind].measured.sel(layer=point.layer, step=sorted(wanted))
                if not bool(measured.all()):
                    raise InterventionError(f"'{point}' was not computed in all of these steps of that run (a cache?)")

    def rows(self, kind: str, layer: int | None, step: int, layout: Layout, samples: list[int], like: Tensor) -> Tensor:
        """The recorded value for every batch row (rows of branches that were not recorded: `like` itself)."""
        array = self.arrays[str(Point(kind, layer))].sel(step=step if self.step is None else self.step)
        if kind in SAMPLER:
            return self._fit(torch.stack([self._sample(array, sample) for sample in samples]), like, kind)
        found = []
        for number, branch in enumerate(layout.branches):
            if branch in array.branch.values:
                found += [self._sample(array.sel(branch=branch), sample) for sample in samples]
            else:
                found += [*like[number * layout.samples : (number + 1) * layout.samples].to("cpu")]
        found = [value.reshape(like.shape[1:]) if value.numel() == like[0].numel() else value for value in found]
        return self._fit(torch.stack([value.to(like.dtype) for value in found]), like, kind)

    def _sample(self, array, sample: int) -> Tensor:
        values = array.isel(sample=sample) if "sample" in array.dims else array
        return torch.from_numpy(np.ascontiguousarray(values.values))

    def _fit(self, found: Tensor, like: Tensor, kind: str) -> Tensor:
        if found.shape != like.shape:
            raise InterventionError(
                f"{kind!r} was recorded with the shape {tuple(found.shape[1:])}, here it has {tuple(like.shape[1:])}; "
                "record a run of the same size"
            )
        return found.to(like)
