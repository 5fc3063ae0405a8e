"""What a sink holds: the same as memory, and readable whatever ended the run."""

import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

import cogkit
from cogkit.recording.slabs import Slab
from cogkit.recording.store import WAITING, SinkError, ZarrStore

ROOT = Path(__file__).parents[2]
SELECTORS = (cogkit.maps("video->text"), cogkit.acts("blocks.*.attn.z"), cogkit.trajectory())
KILLED = """
import os, signal, sys
import torch
import cogkit

def die(pipe, step, train_timestep, held):
    if step == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return held

pipe = cogkit.load("nano", torch.float32)
with cogkit.record(pipe, cogkit.maps("video->text"), cogkit.trajectory(), sink=sys.argv[1]):
    pipe("a red circle", num_frames=5, height=32, width=32, num_inference_steps=4, output_type="latent",
         generator=torch.Generator().manual_seed(0), callback_on_step_end=die)
"""


def test_a_folder_holds_what_memory_would(pipe, generate, tmp_path):
    with cogkit.record(pipe, *SELECTORS) as kept:
        generate(pipe)
    with cogkit.record(pipe, *SELECTORS, sink=tmp_path / "run") as rec:
        generate(pipe)
    for run in (rec.run, cogkit.open_run(tmp_path / "run")):
        assert set(run) == set(kept.run) and run.notes | kept.run.notes == run.notes
        for name in run.datasets:
            xr.testing.assert_identical(run.datasets[name].compute(), kept.run.datasets[name])
        assert run.word("circle").equals(kept.run.word("circle"))


def test_a_folder_is_read_only_where_it_is_looked_at_and_without_torch(pipe, generate, tmp_path):
    with cogkit.record(pipe, *SELECTORS, sink=tmp_path / "run"):
        generate(pipe)
    code = "import sys, cogkit; run = cogkit.open_run(sys.argv[1]); v = run['attn.z'].variable; "
    code += "print(v._in_memory, run.word('circle').shape, 'torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code, tmp_path / "run"], capture_output=True, text=True, cwd=ROOT)
    assert found.stdout.strip() == "False (3, 4, 4) False", found.stderr


def test_what_a_killed_process_had_written_is_readable(nano, tmp_path):
    ended = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "run"], cwd=ROOT, capture_output=True)
    assert ended.returncode == -signal.SIGKILL
    found = cogkit.open_run(tmp_path / "run")
    assert found["video->text"].measured.values[:2].all() and not found["video->text"].measured.values[3].any()
    lift = found["video->text"].lift
    assert lift.isel(step=[0, 1]).notnull().all() and lift.isel(step=3).isnull().all()
    with cogkit.record(nano, cogkit.maps("video->text"), cogkit.trajectory()) as rec:
        whole = {"num_frames": 5, "height": 32, "width": 32, "num_inference_steps": 4, "output_type": "latent"}
        nano("a red circle", **whole, generator=torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(found["latents"][:2], rec.run["latents"][:2])
    np.testing.assert_allclose(lift[:2], rec.run["video->text"].lift[:2], rtol=1e-2)


def test_an_error_in_mid_run_leaves_what_was_written(pipe, generate, tmp_path):
    def fail(pipe, step, train_timestep, held):
        if step == 1:
            raise ZeroDivisionError
        return held

    with pytest.raises(ZeroDivisionError), cogkit.record(pipe, *SELECTORS, sink=tmp_path / "run"):
        generate(pipe, num_inference_steps=3, callback_on_step_end=fail)
    lift = cogkit.open_run(tmp_path / "run")["video->text"].lift
    assert lift.isel(step=[0, 1]).notnull().all() and lift.isel(step=2).isnull().all()


def test_what_is_written_into_a_tensor_later_is_not_in_the_folder(tmp_path):
    slab, disk = Slab("latents", "value", {"step": 1, "x": 3}, {"step": [0]}), threading.Event()
    store = ZarrStore([slab], {}, tmp_path / "run")
    store._put(disk.wait)
    shown = torch.zeros(1, 3)
    store.write(slab, slab.place(0, None), shown.numpy())
    shown += 1
    disk.set()
    store.close()
    assert (store.arrays["latents", "value"][:] == 0).all()


def test_a_slow_disk_makes_the_run_wait_and_memory_holds_what_was_planned(tmp_path):
    blocks = 40
    slab = Slab("acts", "value", {"step": blocks, "x": 2**18}, {"step": list(range(blocks))})
    store, came, ahead = ZarrStore([slab], {}, tmp_path / "run"), [], []

    class Slow:
        def __setitem__(self, place, block):
            time.sleep(0.005)
            came.append(int(block[0, 0]))

    store.arrays["acts", "value"] = Slow()
    block = np.empty(slab.block, slab.dtype)
    tracemalloc.start()
    try:
        for step in range(blocks):
            block[:] = step
            store.write(slab, slab.place(step, None), block)
            ahead.append(step + 1 - len(came))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        store.close()
    assert max(ahead) <= WAITING + 1  # those that wait, and the one that is being written
    assert peak < (WAITING + 2.1) * slab.block_bytes  # and the one that the run stands still with: `plan` counts so
    assert came == list(range(blocks))


def test_a_recording_is_never_overwritten_and_a_disk_that_fails_is_an_error(pipe, generate, tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "notes.txt").write_text("mine")
    with pytest.raises(SinkError, match="old is a file, or not empty; give a new folder"):
        with cogkit.record(pipe, *SELECTORS, sink=tmp_path / "old"):
            generate(pipe)
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["notes.txt"]
    with pytest.raises(SinkError, match="notes.txt is a file, or not empty"):
        with cogkit.record(pipe, *SELECTORS, sink=tmp_path / "old" / "notes.txt"):
            generate(pipe)
    with pytest.raises(SinkError, match="the sink could not be written: no space"):
        with cogkit.record(pipe, *SELECTORS, sink=tmp_path / "full") as rec:
            generate(pipe, callback_on_step_end=lambda *_: fill_the_disk_of(rec))


def fill_the_disk_of(rec) -> dict:
    class Full:
        def __setitem__(self, place, block):
            raise OSError("no space")

    rec.store.arrays = dict.fromkeys(rec.store.arrays, Full())
    return {}
