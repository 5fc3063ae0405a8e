"""Two arms that do the same thing: found equal first, then timed in turns; their memory from a fresh process each.

The protocol: an arm that answers differently is not timed; two warm-up rounds; A B B A ..., so that whatever slows the
machine slows both; the median of the ratios of the rounds, with their range. The peak is the kernel's (VmHWM), reset
before the one call that counts, so that loading and building do not.
"""

import ctypes
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch
from torch import Tensor

ARMS = ("stock", "twin")
IDLE = 10  # percent, at most, for the machine to be called idle
WARM_UP = 2
AS_EXACT = 1.25  # how much farther from the truth the twin's answer may lie than the stock one's


@dataclass(frozen=True)
class Case:
    stock: Callable[[], Tensor]
    twin: Callable[[], Tensor]
    bound: float = 0.0  # on the largest difference, relative to the largest value (at least 1); with a truth, on the
    # twin's relative distance (RMS) from it, unless stock is as far
    truth: Callable[[], Tensor] | None = None  # in a finer precision, where arms round differently


@dataclass(frozen=True)
class Row:
    piece: str
    precision: str
    build: Callable[[], Case]
    bar: float | None = None  # the speed-up that was promised

    @property
    def name(self) -> str:
        return f"{self.piece}, {self.precision}"


@dataclass(frozen=True)
class Timing:
    ratio: float  # seconds of stock / seconds of twin, median over rounds
    lowest: float
    highest: float
    cpu_ratio: float  # the same of the processor's time
    stock: float  # median seconds
    twin: float


class UnequalError(AssertionError):
    """The arms do not answer alike; a time would mean nothing."""


def difference(case: Case) -> str:
    """How equal the arms are, in words: to each other, and to the truth if there is one. Raises UnequalError."""
    stock, twin = case.stock().double(), case.twin().double()
    if stock.shape != twin.shape:
        raise UnequalError(f"{list(stock.shape)} against {list(twin.shape)}")
    largest = (stock - twin).abs().max().item()
    apart = f"max difference {largest:.0e}" if largest else "bit-equal"
    if case.truth is None:
        if not largest <= case.bound * max(1.0, stock.abs().max().item()):
            raise UnequalError(f"outputs differ by {largest:.1e}, allowed {case.bound:.0e}")
        return apart
    truth = case.truth()
    finer = "float64" if truth.dtype == torch.float64 else "fp32"
    errors = [((x - truth).square().mean() / truth.square().mean()).sqrt().item() for x in (stock, twin)]
    if not errors[1] <= max(AS_EXACT * errors[0], case.bound):
        raise UnequalError(f"distance to {finer} {errors[1]:.1e}, of stock {errors[0]:.1e}")
    return f"{apart}; {errors[1]:.1e} from {finer} (stock {errors[0]:.1e})"


def timed(case: Case, rounds: int) -> Timing:
    arms = {"stock": case.stock, "twin": case.twin}
    for _ in range(WARM_UP):
        for arm in arms.values():
            arm()
    wall, cpu = {arm: [] for arm in ARMS}, {arm: [] for arm in ARMS}
    for k in range(rounds):
        for arm in ARMS if k % 2 == 0 else ARMS[::-1]:
            since, since_cpu = time.perf_counter(), time.process_time()
            arms[arm]()
            wall[arm].append(time.perf_counter() - since)
            cpu[arm].append(time.process_time() - since_cpu)
    ratios = [a / b for a, b in zip(wall["stock"], wall["twin"], strict=True)]
    cpu_ratio = statistics.median(a / b for a, b in zip(cpu["stock"], cpu["twin"], strict=True))
    medians = (statistics.median(wall[arm]) for arm in ARMS)
    return Timing(statistics.median(ratios), min(ratios), max(ratios), cpu_ratio, *medians)


def call_in_fresh_process(script: Path, *arguments: str) -> dict:
    """What `script` prints last, as JSON."""
    command = [sys.executable, str(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def peak_of(call: Callable[[], object]) -> dict[str, float]:
    """Megabytes: the process at its largest during `call`, and how much of that is the call's. Linux only."""
    forget_peak()
    before = memory("VmRSS")
    call()
    return {"peak": memory("VmHWM"), "call": memory("VmHWM") - before}


def forget_peak() -> None:
    """From here on VmHWM is the peak of what is yet to come."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def memory(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024


def machine() -> str:
    """One line about where this runs: threads, what else is at work, how fast it multiplies matrices (the ceiling)."""
    others = busy()
    speeds = [f"{_gigaflops(torch.float32):.0f} GF/s in fp32"]
    if has_bf16():
        speeds.append(f"{_gigaflops(torch.bfloat16):.0f} in bf16")
    idle = "" if others < IDLE else " The machine was NOT idle: times are not to be trusted, ratios hardly."
    return (
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, processors {others:.0f} % busy before; "
        f"matrix products at {' and '.join(speeds)}.{idle}"
    )


def busy() -> float:
    """Percent of the processors' time that others take. Not the load average: it holds what ended a minute ago."""
    return psutil.cpu_percent(interval=2)


def has_bf16() -> bool:
    """Whether the CPU library has kernels for bf16 here. Without them (no AVX-512) a decode takes minutes."""
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()


def _gigaflops(dtype: torch.dtype, side: int = 2048) -> float:
    a = torch.randn(side, side, dtype=dtype)
    a @ a
    since = time.perf_counter()
    a @ a
    return 2 * side**3 / (time.perf_counter() - since) / 1e9


def cells(*texts: str) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(texts)} |"


def span(time: Timing) -> str:
    return f"**{time.ratio:.2f}** ({time.lowest:.2f} to {time.highest:.2f})"
