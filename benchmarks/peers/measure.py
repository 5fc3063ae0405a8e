"""One entrant at one size, in a process of its own: first what it gives, then what it costs. Prints one line of JSON.

python measure.py ENTRANT SIZE [--rounds N] [--layers N] [--limit GB]

Equality and map error come before any timing. Memory is the high-water mark of resident memory (VmHWM), set back before
each run. Times are of plain and recorded runs in turns (A B B A ...), so that what slows the machine slows both.
"""

import argparse
import ctypes
import gc
import importlib
import json
import re
import resource
import statistics
import sys
import time
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import entrant_plain
import numpy as np
import torch
import torch.nn.functional as F
from subject import SIZES, TEXT, build, call, words
from torch.overrides import TorchFunctionMode

SAMPLES = 48  # query rows whose whole softmax is computed in float64


class Witness(TorchFunctionMode):
    """Dense float64 rows of every attention call of the conditional branch, for some queries."""

    def __init__(self, queries, slots):
        super().__init__()
        self.queries, self.slots, self.rows = queries, slots, []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is F.scaled_dot_product_attention and args[0].shape[2] > TEXT:  # T5 attends to fewer
            q, k = args[0][-1].double(), args[1][-1].double()
            rows = q[:, TEXT + self.queries] * q.shape[-1] ** -0.5
            p = sum((rows[head] @ k[head].T).softmax(-1) for head in range(len(q))) / len(q)
            self.rows.append(torch.stack([p[:, slots].mean(-1) for slots in self.slots], -1))
        return func(*args, **(kwargs or {}))


def machine() -> dict:
    cpu = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    versions = {name: metadata.version(name) for name in ("torch", "diffusers", "transformers")}
    return versions | {"CPU": cpu[1] if cpu else "unknown", "threads": torch.get_num_threads()}


def high_water() -> float:
    """MB."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def in_memory(run) -> tuple[object, float]:
    """What `run` returns, and the most memory that the process held meanwhile, in MB."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return run(), high_water()


def planned(pipe, size) -> float:
    """MB that cogkit says, before the run, the recording will need."""
    from cogkit import maps, record

    with record(pipe, maps("video->text", dtype="float32")) as rec:
        return rec.plan(**call(size)).memory / 2**20


def seconds(run) -> tuple[float, float, torch.Tensor]:
    """Wall clock, CPU, and the latents."""
    wall, cpu = time.perf_counter(), time.process_time()
    latents, _ = run()
    return time.perf_counter() - wall, time.process_time() - cpu, latents


@torch.inference_mode()
def measure(entrant, size) -> dict:
    pipe = build(size)
    slots = words(pipe)
    built = high_water()

    def plain():
        return entrant_plain.word_maps(pipe, call(size), slots)

    def recorded():
        return entrant.word_maps(pipe, call(size), slots)

    video = (size.frames - 1) // 4 + 1, size.height // 16, size.width // 16
    queries = torch.linspace(0, np.prod(video) - 1, SAMPLES).long()
    with Witness(queries, slots.values()) as witness:
        expected, _ = plain()
    exact = torch.stack(witness.rows).unflatten(0, (size.steps, -1))
    _, base = in_memory(plain)

    since = time.perf_counter()
    (latents, maps), peak = in_memory(recorded)
    found = {
        "first_s": time.perf_counter() - since,
        "drift": (latents - expected).abs().max().item(),
        "tokens": TEXT + int(np.prod(video)),
        "layers": len(pipe.transformer.transformer_blocks),
        "samples": SAMPLES,
        "machine": machine(),
        "plain_peak_mb": base,
        "extra_mb": peak - base,
        "peak_mb": max(built, base, peak),
    }
    if entrant.__name__ == "entrant_cogkit":
        found["planned_mb"] = planned(pipe, size)
    if maps is not None:
        maps = torch.as_tensor(np.asarray(maps))[:, :, queries].double()
        found["lift_error"] = (maps - exact).abs().max().item() * found["tokens"]
        found["relative_error"] = ((maps - exact).abs() / exact).max().item()
    del latents, maps
    pairs = []
    for k in range(size.rounds):
        order = (plain, recorded) if k % 2 == 0 else (recorded, plain)
        spent = {run: seconds(run) for run in order}
        pairs.append((spent[plain], spent[recorded]))
    ratios = [b[0] / a[0] for a, b in pairs]
    found |= {
        "plain_s": statistics.median(a[0] for a, _ in pairs),
        "recorded_s": statistics.median(b[0] for _, b in pairs),
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "cpu_ratio": statistics.median(b[1] / a[1] for a, b in pairs),
        "leaves_nothing": all(torch.equal(a[2], expected) for a, _ in pairs),  # plain runs, with recorded ones before
    }
    return found


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("entrant")
    arguments.add_argument("size", choices=SIZES)
    arguments.add_argument("--rounds", type=int)
    arguments.add_argument("--layers", type=int)
    arguments.add_argument("--limit", type=float, help="GB of memory that the process may hold")
    given = arguments.parse_args()
    if given.limit:
        resource.setrlimit(resource.RLIMIT_DATA, (int(given.limit * 2**30),) * 2)
    size = SIZES[given.size]
    size = replace(size, rounds=given.rounds or size.rounds)
    if given.layers:
        size = replace(size, transformer=size.transformer | {"num_layers": given.layers})
    try:
        row = measure(importlib.import_module(f"entrant_{given.entrant}"), size)
    except (RuntimeError, MemoryError, ImportError) as error:  # it does not run, or not within the limit
        row = {"failed": f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"}
    json.dump(row, sys.stdout)


if __name__ == "__main__":
    main()
