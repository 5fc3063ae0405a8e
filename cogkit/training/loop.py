"""The training loop, once for both models: it can be killed at any moment and goes on as if nothing had happened.

Every random number of step n comes from (seed, n), so a resumed run repeats what an uninterrupted one would have
done, bit for bit. A checkpoint is written beside the old one and renamed over it: a kill while saving loses nothing.
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cogkit.jsonl import add_line, read_lines
from cogkit.training.config import Config


@runtime_checkable
class Task(Protocol):
    """What is trained. `model` holds all its weights."""

    model: nn.Module

    def optimisers(self) -> list[torch.optim.Optimizer]:
        """Over all weights; a group's `share` (default 1) scales the learning rate."""

    def loss(self, step: int) -> tuple[Tensor, dict[str, float]]:
        """The loss of one step and what to note about it. All randomness comes from the step's number."""

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Scores of some weights on unseen data."""


@dataclass(frozen=True)
class Progress:
    step: int  # steps done
    seconds: float  # spent training, over all sittings
    notes: dict[str, float]


def train(task: Task, config: Config, folder: Path) -> Iterator[Progress]:
    """Train, yielding after every step; leaving the loop early is fine. Resumes if `folder` holds a checkpoint.

    Writes `checkpoint.pt` (weights, running average, optimiser) and one line per note in `metrics.jsonl`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    optimisers = task.optimisers()
    average = AveragedModel(task.model, multi_avg_fn=get_ema_multi_avg_fn(config.average_decay))
    step, seconds = _resume(folder / "checkpoint.pt", task.model, average, optimisers)
    _forget_metrics_after(folder / "metrics.jsonl", step)

    since = time.monotonic()
    while step < config.steps:
        loss, notes = task.loss(step)
        task.model.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(task.model.parameters(), config.clip_norm)
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = config.learning_rate_at(step) * group.get("share", 1.0)
            optimiser.step()
        average.update_parameters(task.model)
        step += 1

        notes = {"loss": float(loss.detach()), "grad_norm": float(norm), **notes}
        if step % config.validate_every == 0 or step == config.steps:
            notes |= task.validate(average.module)
        now = time.monotonic()
        seconds, since = seconds + now - since, now
        if step % config.note_every == 0 or step % config.validate_every == 0 or step == config.steps:
            add_line(folder / "metrics.jsonl", {"step": step, "seconds": round(seconds, 1), **notes})
        if step % config.save_every == 0 or step == config.steps:
            save_atomically(
                {
                    "step": step,
                    "seconds": seconds,
                    "model": task.model.state_dict(),
                    "average": average.state_dict(),
                    "optimisers": [o.state_dict() for o in optimisers],
                },
                folder / "checkpoint.pt",
            )
        yield Progress(step, seconds, notes)


def averaged_weights(folder: Path) -> dict[str, Tensor]:
    """The running average of a run's weights, named as in its model."""
    average = torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)["average"]
    return {name.removeprefix("module."): value for name, value in average.items() if name != "n_averaged"}


def save_atomically(state: dict, path: Path) -> None:
    """Write beside, flush to the disk, rename: at every moment `path` is either the old state or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".writing")
    with beside.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _resume(path: Path, model: nn.Module, average: nn.Module, optimisers: list) -> tuple[int, float]:
    if not path.exists():
        return 0, 0.0
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    average.load_state_dict(state["average"])
    for optimiser, saved in zip(optimisers, state["optimisers"], strict=True):
        optimiser.load_state_dict(saved)
    return state["step"], state["seconds"]


def _forget_metrics_after(path: Path, step: int) -> None:
    """Lines noted after the last checkpoint will be written again."""
    kept = [note for note in read_lines(path) if note["step"] <= step]
    if path.exists():
        path.write_text("".join(json.dumps(note) + "\n" for note in kept))
