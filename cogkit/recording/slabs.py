"""A slab is one recorded array as it is laid out before the run: its axes, its size, its coordinates."""

import math
from dataclasses import dataclass, field

import numpy as np

LEADING = ("step", "branch", "sample", "layer")  # whichever a slab has come first, in this order


@dataclass(frozen=True)
class Slab:
    """Convention: a write fills one step (and one layer, if there are layers): all branches and samples of it."""

    group: str  # which dataset it belongs to
    name: str  # which variable
    axes: dict[str, int]
    coords: dict[str, list] = field(default_factory=dict)  # axis -> labels
    dtype: str = "float32"
    notes: dict[str, object] = field(default_factory=dict)  # become attributes
    singly: tuple[str, ...] = ("step", "layer")  # axes of which a block holds one
    blocks: int = 1  # that one write fills, at the most
    at: tuple[slice, ...] | None = None  # where a write goes that no step tells

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.axes.values())

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def block(self) -> tuple[int, ...]:
        """The shape of one write, or of an even part of it."""
        return tuple(1 if axis in self.singly else size for axis, size in self.axes.items())

    @property
    def block_bytes(self) -> int:
        """Of one write."""
        return math.prod(self.block) * self.blocks * np.dtype(self.dtype).itemsize

    def place(self, step: int, layer: int | None) -> tuple:
        """Where a write of this step (0..steps-1) and layer goes."""
        if self.at is not None:
            return self.at
        index = {"step": self.coords["step"].index(step)}
        if "layer" in self.axes:
            index["layer"] = self.coords["layer"].index(layer)
        return tuple(index.get(axis, slice(None)) for axis in self.axes)
