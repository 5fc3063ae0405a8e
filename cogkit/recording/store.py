"""Where recorded blocks go: arrays in memory, or zarr on disk, written while the run goes on."""

import json
import queue
import threading
from pathlib import Path

import numpy as np
import zarr

from cogkit.recording.slabs import Slab

WAITING = 4  # blocks that may wait for the disk; then the run waits for it


class SinkError(ValueError):
    """A folder that cannot take a recording."""


def folder_of(group: str) -> str:
    return group.replace("->", "_to_")


class MemoryStore:
    """Arrays full of NaN that fill up step by step."""

    def __init__(self, slabs: list[Slab], notes: dict):
        self.slabs, self.notes = slabs, notes
        self.arrays = {(s.group, s.name): np.full(s.shape, np.nan, s.dtype) for s in slabs}

    def write(self, slab: Slab, place: tuple, block: np.ndarray) -> None:
        self.arrays[slab.group, slab.name][place] = block

    def note(self, **more) -> None:
        self.notes |= more

    def close(self) -> None:
        pass


class ZarrStore:
    """One zarr group a dataset, one chunk a write, in a thread of its own behind a bounded queue.

    Axis labels are attributes, written before the first block: whatever ends the run, what was written is readable.
    """

    def __init__(self, slabs: list[Slab], notes: dict, folder: Path):
        if folder.exists() and (folder.is_file() or any(folder.iterdir())):
            raise SinkError(f"sink {folder} is a file, or not empty; give a new folder, none is ever overwritten")
        self.root = zarr.open_group(folder, mode="w", zarr_format=3)
        self.root.attrs.update(notes | {"groups": sorted({slab.group for slab in slabs})})
        self.arrays = {}
        for slab in slabs:
            group = self.root.require_group(folder_of(slab.group))
            group.attrs.update({"coords": group.attrs.get("coords", {}) | slab.coords})
            self.arrays[slab.group, slab.name] = group.create_array(
                slab.name,
                shape=slab.shape,
                chunks=slab.block,
                dtype=slab.dtype,
                fill_value=float("nan"),
                compressors=None,  # so that the plan's bytes are the disk's
                dimension_names=list(slab.axes),
                attributes=json.loads(json.dumps(slab.notes)),
            )
        self._queue: queue.Queue = queue.Queue(maxsize=WAITING)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._drain, name="cogkit-sink", daemon=True)
        self._thread.start()

    def write(self, slab: Slab, place: tuple, block: np.ndarray) -> None:
        block = block.copy()  # of a tensor that the model may write into before it is on the disk
        self._put(lambda: self.arrays[slab.group, slab.name].__setitem__(place, block))

    def note(self, **more) -> None:
        self._put(lambda: self.root.attrs.update(more))

    def _put(self, job) -> None:
        if self._error is not None:
            raise SinkError(f"the sink could not be written: {self._error}") from self._error
        self._queue.put(job)

    def _drain(self) -> None:
        while (job := self._queue.get()) is not None:
            try:
                if self._error is None:
                    job()
            except BaseException as error:
                self._error = error

    def close(self) -> None:
        """Wait until everything is on the disk."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
        if self._error is not None:
            raise SinkError(f"the sink could not be written: {self._error}") from self._error
