"""Name -> pipeline: the shipped nano checkpoint, a folder, or a model on the hub. It comes back as stock diffusers."""

import json
import os
from contextlib import contextmanager
from pathlib import Path

import diffusers
import torch
import transformers
from diffusers import CogVideoXPipeline
from packaging.version import Version

HERE = Path(__file__).parent
INSTALLED = HERE / "data"  # in a wheel; in the repository data lies beside the package
DATA = Path(os.environ.get("COGKIT_DATA", INSTALLED if INSTALLED.exists() else HERE.parent / "data"))
DTYPE = "dtype" if Version(diffusers.__version__) >= Version("0.40") else "torch_dtype"  # Colab still has 0.39
COMPONENTS = {  # folder: a file without which it is broken
    "transformer": "config.json",
    "vae": "config.json",
    "scheduler": "scheduler_config.json",
    "text_encoder": "config.json",
    "tokenizer": "tokenizer_config.json",
}


class CheckpointError(ValueError):
    """There is no pipeline where one was asked for."""


def load(name: str | Path = "nano", dtype: torch.dtype | str = "auto") -> CogVideoXPipeline:
    """A `CogVideoXPipeline` ready to call.

    `name` is "nano" (ships with cogkit), a pipeline folder, or a hub id such as "THUDM/CogVideoX-2b".
    `dtype` is a torch dtype or "auto": the fast one here (`best_dtype`).
    Raises CheckpointError, before anything is loaded, if a folder is missing or incomplete.
    """
    folder = DATA / "nano" if name == "nano" else Path(name)
    if folder.exists():
        check_folder(folder)
    elif name == "nano" or str(name).count("/") != 1 or str(name).startswith((".", "/", "~")):
        raise CheckpointError(
            f"there is no checkpoint folder {folder}; give 'nano', a pipeline folder or a hub id (owner/name)"
        )
    dtype = {DTYPE: best_dtype() if dtype == "auto" else dtype}
    try:
        if not folder.exists():
            return CogVideoXPipeline.from_pretrained(str(name), **dtype)
        with _without_progress_bars():  # a folder takes a second
            return CogVideoXPipeline.from_pretrained(folder, **dtype)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise CheckpointError(f"{name} could not be loaded as a CogVideoX pipeline: {_first_line(error)}") from error


def best_dtype() -> torch.dtype:
    """bf16 if that is fast on this machine, else fp16 on a GPU and fp32 on a CPU."""
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.bfloat16 if cpu_has_fast_bf16() else torch.float32


def cpu_has_fast_bf16() -> bool:
    """Whether the processor has tiles for bf16 (AMX). With bf16 vectors only, bf16 takes longer than fp32."""
    return torch.cpu._is_amx_tile_supported()


def check_folder(folder: Path) -> None:
    """Refuse a folder that is not a whole pipeline, naming the first thing that is missing or damaged."""
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is a file; a checkpoint is a folder with a model_index.json")
    needed = [folder / "model_index.json", *(folder / part / file for part, file in COMPONENTS.items())]
    for path in needed:
        if not path.exists():
            raise CheckpointError(f"{folder} is not a whole pipeline: {path.relative_to(folder)} is missing")
        try:
            json.loads(path.read_text())
        except ValueError:
            raise CheckpointError(f"{path} is damaged: it is not valid JSON") from None
    for part in ("transformer", "vae", "text_encoder"):
        weights = list((folder / part).glob("*.safetensors"))
        if not weights:
            raise CheckpointError(f"{folder} is not a whole pipeline: {part} has no .safetensors file")
        for path in weights:
            _check_weights(path)


def _check_weights(path: Path) -> None:
    """The header says where the last tensor ends; a file cut short by a broken download or a full disk is shorter."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(file.read(length)) if length < path.stat().st_size else None
        except ValueError:
            header = None
    ends = [entry["data_offsets"][1] for name, entry in (header or {}).items() if name != "__metadata__"]
    if not ends or 8 + length + max(ends) != path.stat().st_size:
        raise CheckpointError(f"{path} is damaged: it is not a whole safetensors file")


@contextmanager
def _without_progress_bars():
    shown = [log for log in (diffusers.utils.logging, transformers.utils.logging) if log.is_progress_bar_enabled()]
    for log in shown:
        log.disable_progress_bar()
    try:
        yield
    finally:
        for log in shown:
            log.enable_progress_bar()


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
