"""`record`: watch one run of a pipeline, and leave nothing behind."""

import warnings
from collections import defaultdict
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch

from cogkit.recording.concepts import ConceptRows, Concepts
from cogkit.recording.layout import Layout, anatomy
from cogkit.recording.plan import Plan, check_budget, has_fused_lse, make_plan, planned_layout
from cogkit.recording.points import match_points
from cogkit.recording.runs import Run, named, open_run
from cogkit.recording.selectors import Acts, Maps, Trajectory
from cogkit.recording.store import MemoryStore, ZarrStore
from cogkit.recording.taps import visiting
from cogkit.recording.vae_taps import VaeRecorder
from cogkit.recording.visitor import RecordError, Visitor

CAUSES = (
    "a cache hook that skips blocks (FirstBlockCache, PAB, FasterCache, MagCache, TaylorSeer), a layer-skip, "
    "torch.compile, an attention that does not call scaled_dot_product_attention, or steps that never came"
)


class CachedSteps(UserWarning):
    """Some of what was to be recorded was not computed."""


@contextmanager
def record(pipe, *selectors, budget: str | int | None = None, sink: str | Path | None = None, prompt=None):
    """Record one run of any diffusers CogVideoX pipeline, which gives the very same video.

    `selectors`: maps(), concepts(), acts(), trajectory(). `budget`, such as "2GB", bounds the bytes that the recording
    keeps (and its scratch); `sink` is a new folder that gets them while the run goes. `prompt` is only needed if the
    pipeline is called with embeddings. Yields a Recording: `plan()` before the run, `run` after it.
    Raises UnknownPoint, UnknownWord, BudgetError, all before the first step; RecordError at exit if a selector saw
    nothing.
    """
    recording = Recording(pipe, selectors, budget, sink)
    with visiting(pipe, recording, prompt=prompt):
        try:
            yield recording
        except BaseException:
            recording.close()
            raise
    recording.close()
    recording.check()


class Recording(Visitor):
    def __init__(self, pipe, selectors, budget, sink):
        for selector in selectors:
            if not isinstance(selector, Maps | Concepts | Acts | Trajectory):
                raise RecordError(f"{selector!r} is no selector; use maps(), concepts(), acts() or trajectory()")
        if not selectors:
            raise RecordError("nothing to record; give maps(), concepts(), acts() or trajectory()")
        self.pipe, self.selectors, self.budget, self.sink = pipe, selectors, budget, sink and Path(sink)
        self.sizes = anatomy(pipe)
        self.kinds = frozenset().union(*(_kinds(selector, self.sizes.layers) for selector in selectors))
        self.chunk = min((selector.chunk for selector in selectors if isinstance(selector, Maps)), default=self.chunk)
        self.layout: Layout | None = None
        self.store = None
        self._planned, self._closed = False, False

    def plan(self, *args, **call) -> Plan:
        """The cost of `pipe(*args, **call)`: give what the call will be given; the rest are its defaults."""
        self._planned = True
        layout = planned_layout(self.pipe, self.selectors, args, call)
        return make_plan(self.selectors, layout, self.sizes, self.sink is not None, has_fused_lse(self.pipe))

    @property
    def run(self) -> Run:
        """What was recorded so far."""
        if self.store is None:
            raise RecordError("nothing has run inside of this recording")
        if self._run is not None:
            return self._run
        if isinstance(self.store, ZarrStore):
            if not self._closed:
                raise RecordError("the run is still being written; look at it after the with block")
            self._run = open_run(self.sink)
            return self._run
        slabs = defaultdict(list)
        for slab in self.store.slabs:
            slabs[slab.group].append(slab)
        datasets = {}
        for group, parts in slabs.items():
            arrays = {p.name: (tuple(p.axes), self.store.arrays[group, p.name], p.notes) for p in parts}
            coords = {axis: labels for part in parts for axis, labels in part.coords.items()}
            datasets[group] = named(arrays, coords, self.notes["measured"].get(group, {}), self.notes)
        found = Run(datasets, self.notes)
        self._run = found if self._closed else None
        return found

    def prompted(self, prompts, negatives) -> None:
        if self.layout is not None:
            raise RecordError("a recording holds one run; open another `with cogkit.record(...)` for the next")
        for selector in self.selectors:
            if isinstance(selector, Maps) and prompts:  # before the text encoder runs
                selector.check_words(prompts)

    def begin(self, layout: Layout) -> None:
        for selector in self.selectors:
            if isinstance(selector, Maps):
                selector.check_words(layout.prompts)
        check_budget(self.selectors, layout, self.sizes, self.sink is not None, self.budget)
        self.layout = layout
        self.parts = [part for selector in self.selectors for part in selector.bind(layout, self.sizes)]
        for part in self.parts:
            if isinstance(part, ConceptRows | VaeRecorder):
                part.meet(self.pipe)
        self.fired: dict[int, set] = defaultdict(set)  # part -> (step, layer)
        self.notes = self._notes(layout)
        slabs = [slab for part in self.parts for slab in part.slabs]
        names = [(slab.group, slab.name) for slab in slabs]
        if twice := {group for group, name in names if names.count((group, name)) > 1}:
            ways = "give one of the maps another name=, or put the patterns into one acts()"
            raise RecordError(f"{', '.join(sorted(twice))} is recorded twice; {ways}")
        self.store = ZarrStore(slabs, self.notes, self.sink) if self.sink else MemoryStore(slabs, self.notes)

    def _notes(self, layout: Layout) -> dict:
        alpha_bar = [float(self.pipe.scheduler.alphas_cumprod[time]) for time in layout.train_timesteps]
        return {
            "tokens": layout.tokens,
            "layers": self.sizes.layers,
            "pieces": [list(slots.pieces) for slots in layout.prompts],
            "scheduler": type(self.pipe.scheduler).__name__,
            "train_timestep": list(layout.train_timesteps),
            "alpha_bar": alpha_bar,
            "sigma": [(1 - a) ** 0.5 for a in alpha_bar],
            "guidance": [],
            "measured": {},
        }

    def wants(self, kind: str, layer: int | None, step: int) -> bool:
        return any(part.wants(kind, layer, step) for part in self.parts)

    def visit(self, kind: str, layer: int | None, value, step: int) -> None:
        for number, part in enumerate(self.parts):
            if part.wants(kind, layer, step):
                for slab, found in part.read(kind, layer, value, step):
                    self.store.write(slab, slab.place(step, layer), _numpy(found, slab.dtype))
                    self.fired[number].add((step, layer))

    def step_done(self, step: int, attended: set[int]) -> None:
        """Flag what was computed in this step: fired, and with the attention of its layer not taken from a cache."""
        self._attended, self._came = self._attended or bool(attended), step + 1
        for number, part in enumerate(self.parts):
            layers = {layer for s, layer in self.fired[number] if s == step and layer is not None}
            seen = sorted(layers & attended if self._attended else layers)
            self.notes["measured"].setdefault(part.slabs[0].group, {})[str(step)] = seen
            self.missing = self.missing or (
                step in part.steps and part.layers is not None and not set(part.layers) <= set(seen)
            )
        self.store.note(measured=deepcopy(self.notes["measured"]))

    def sampled(self, guidance: float) -> None:
        self.notes["guidance"].append(guidance)
        self.store.note(guidance=list(self.notes["guidance"]))

    missing, _attended, _came = False, False, 0  # _came: steps
    _run: Run | None = None

    def close(self) -> None:
        if self.store is not None and not self._closed:
            self.store.close()
        self._closed = True

    def check(self) -> None:
        """Raises RecordError for a selector that saw nothing, warns of steps that a cache skipped."""
        if self.layout is None:
            if not self._planned:
                raise RecordError(f"no selector ever fired: this pipeline did not run in the block. Else: {CAUSES}")
            return
        for number, part in enumerate(self.parts):
            if not self.fired[number]:
                raise RecordError(
                    f"{part.slabs[0].group!r} never fired. Likely causes: {getattr(part, 'causes', CAUSES)}"
                )
        if self.missing:
            warnings.warn("some steps were not computed; `measured` says which", CachedSteps, stacklevel=4)
        if any(step >= self._came for part in self.parts for step in part.steps):
            ended = f"the run ended after {self._came} of {self.layout.steps} steps; what was not computed is NaN"
            warnings.warn(ended, CachedSteps, stacklevel=4)


def _kinds(selector, layers: int) -> frozenset[str]:
    if isinstance(selector, Maps):
        return frozenset({"attn.pattern"})
    if isinstance(selector, Concepts):
        return ConceptRows.kinds
    return frozenset(p.kind for p in match_points(getattr(selector, "patterns", None) or selector.kinds, layers))


def _numpy(value: torch.Tensor, dtype: str) -> np.ndarray:
    return value.detach().to("cpu", getattr(torch, dtype)).numpy()
