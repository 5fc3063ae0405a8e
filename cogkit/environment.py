"""What this machine offers, what will work on it, and which combinations are known to go wrong. Looks, then talks."""

import importlib.util
import os
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
import torch
from packaging.version import Version

from cogkit.checkpoints import cpu_has_fast_bf16

GB = 10**9
T5_GB = 16  # of RAM: T5-XXL is 9.5 GB in 16 bits, and a 12.7 GB machine dies while it loads (CogVideo issue 741)
NANO_GB = 3
# Least free GPU memory in GB, and how: diffusers' CogVideoX page; A100 measurements of sayakpaul/diffusers-torchao.
WAYS = {
    "2B": (
        (25, "as it is"),
        (13, "with pipe.enable_model_cpu_offload()"),
        (8, "with enable_model_cpu_offload() and pipe.vae.enable_tiling()"),
        (5, "with enable_sequential_cpu_offload() and pipe.vae.enable_tiling(), very slowly"),
    ),
    "5B": (
        (33, "as it is"),
        (19, "with pipe.enable_model_cpu_offload()"),
        (11, "with enable_model_cpu_offload() and pipe.vae.enable_tiling()"),
        (5, "with enable_sequential_cpu_offload() and pipe.vae.enable_tiling(), very slowly"),
    ),
}


@dataclass(frozen=True)
class Machine:
    """The facts. Memory in bytes; `gpu` is None without CUDA, `widgets` without ipywidgets."""

    cores: int
    memory: int
    free_memory: int
    torch: str
    widgets: str | None
    cpu_bf16: bool  # in tiles, so that it is fast
    gpu: str | None = None
    vram: int = 0
    free_vram: int = 0
    gpu_bf16: bool = False
    cudnn: int | None = None  # such as 91002 for 9.10.2
    colab: bool = False


def look() -> Machine:
    """Ask the machine. Starts CUDA if there is one; allocates nothing."""
    memory, gpu = psutil.virtual_memory(), {}
    limit = _memory_limit()
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        gpu = {
            "gpu": torch.cuda.get_device_name(),
            "vram": total,
            "free_vram": free,
            "gpu_bf16": torch.cuda.is_bf16_supported(including_emulation=False),
            "cudnn": torch.backends.cudnn.version(),
        }
    return Machine(
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory=min(memory.total, limit),
        free_memory=min(memory.available, limit),
        torch=torch.__version__,
        widgets=_version("ipywidgets"),
        cpu_bf16=cpu_has_fast_bf16(),
        colab=importlib.util.find_spec("google") is not None and importlib.util.find_spec("google.colab") is not None,
        **gpu,
    )


def describe(machine: Machine) -> list[str]:
    """The facts, one line each."""
    gpu = "none: everything below runs on the CPU"
    if machine.gpu:
        bf16 = "bf16" if machine.gpu_bf16 else "no bf16"
        gpu = f"{machine.gpu}, {_gb(machine.free_vram)} of {_gb(machine.vram)} free, {bf16}"
    return [
        f"cores    {machine.cores}, {'with' if machine.cpu_bf16 else 'without'} fast bf16",
        f"memory   {_gb(machine.free_memory)} of {_gb(machine.memory)} free",
        f"GPU      {gpu}",
        f"torch    {machine.torch}",
        f"widgets  {'ipywidgets ' + machine.widgets if machine.widgets else 'none'}{', on Colab' * machine.colab}",
    ]


def works(machine: Machine) -> list[str]:
    """What will run here, and how."""
    if machine.free_memory < NANO_GB * GB:
        nano = f"nano: not sure, it wants {NANO_GB} GB of free memory and there are {_gb(machine.free_memory)}"
    else:
        nano = "nano: yes, every notebook"
    found = [nano]
    for model, ways in WAYS.items():
        way = next((how for least, how in ways if machine.free_vram >= least * GB), None)
        if not machine.gpu:
            found.append(f"{model}: no, it wants a GPU with at least {ways[-1][0]} GB free")
        elif way is None:
            free, least = _gb(machine.free_vram), ways[-1][0]
            found.append(f"{model}: no, {free} of GPU memory are free and it wants at least {least} GB")
        else:
            dtype = "bf16" if machine.gpu_bf16 and model == "5B" else "fp16"
            found.append(f"{model}: yes, in {dtype}, {way}")
    return found


def warn_of(machine: Machine) -> list[str]:
    """Combinations that are known to go wrong, one sentence each, with the way out."""
    found = []
    release = Version(machine.torch).release[:3]
    if machine.gpu and release[:2] == (2, 9) and not (release >= (2, 9, 1) and (machine.cudnn or 0) >= 91500):
        found.append(
            f"torch {machine.torch} computes conv3d on CUDA without cuDNN, so the VAE is several times slower and "
            "larger (pytorch issue 166643): use torch 2.10, or 2.9.1 with cuDNN 9.15"
        )
    if machine.gpu and not machine.gpu_bf16:
        found.append(
            f"{machine.gpu} has no bf16: run the 2B in fp16; the 5B was trained in bf16 and its quality in fp16 is not "
            "guaranteed"
        )
    if machine.gpu and machine.memory < T5_GB * GB:
        found.append(
            f"{_gb(machine.memory)} of memory are too little to load T5-XXL beside the rest: encode the prompt first, "
            "delete the text encoder, then load the transformer"
        )
    if machine.widgets is None:
        found.append("ipywidgets is not installed, so the explorers cannot be shown: pip install ipywidgets")
    elif Version(machine.widgets) < Version("7.7"):
        found.append(
            f"ipywidgets {machine.widgets} is older than 7.7, the oldest that the explorers are made for: update"
        )
    elif machine.colab and Version(machine.widgets).major >= 8:
        found.append(
            f"Colab's page is made for ipywidgets 7, and {machine.widgets} is installed: if sliders stay blank, "
            "pip install 'ipywidgets<8' and restart"
        )
    return found


def environment() -> None:
    """Print what the machine offers, what will work on it, and a sentence for each known bad combination."""
    machine = look()
    print("\n".join([*describe(machine), "", *works(machine)]))
    for sentence in warn_of(machine):
        print(f"warning: {sentence}")


def _gb(size: int) -> str:
    return f"{size / GB:.1f} GB"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _memory_limit(path: Path = Path("/sys/fs/cgroup/memory.max")) -> int | float:
    """What a container may use; infinite if nothing says."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # no such file, or the word "max"
        return float("inf")
