"""A run that is killed and resumed ends where an uninterrupted one ends, bit for bit."""

import json

import pytest
import torch
from torch import nn

from cogkit.training.config import Config, Group, Stage
from cogkit.training.loop import averaged_weights, save_atomically, train

CONFIG = Config(
    part="vae",
    stages=(Stage(steps=12, groups=(Group(8, 1, 1),)),),
    warmup=3,
    save_every=4,
    note_every=2,
    validate_every=6,
)


class Line:
    """Fit a line through noisy points; the noise of step n depends on n alone."""

    def __init__(self):
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(4, 16), nn.Linear(16, 1))

    def optimisers(self):
        matrices = [p for p in self.model.parameters() if p.ndim == 2]
        vectors = [{"params": [p for p in self.model.parameters() if p.ndim == 1], "share": 0.5}]
        return [torch.optim.AdamW(vectors), torch.optim.Muon(matrices, adjust_lr_fn="match_rms_adamw")]

    def loss(self, step):
        x = torch.randn(8, 4, generator=torch.Generator().manual_seed(step))
        return (self.model(x) - x.sum(1, keepdim=True)).square().mean(), {}

    def validate(self, model):
        return {"probe": float(model(torch.ones(1, 4)).detach())}


def finish(folder):
    for _ in train(Line(), CONFIG, folder):
        pass
    return torch.load(folder / "checkpoint.pt", weights_only=True), (folder / "metrics.jsonl").read_text()


def without_clock(metrics):
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in metrics.splitlines()]


@pytest.mark.parametrize("killed_at", [1, 4, 7, 11])
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path, killed_at):
    whole, whole_metrics = finish(tmp_path / "whole")
    for progress in train(Line(), CONFIG, tmp_path / "parts"):
        if progress.step == killed_at:
            break
    parts, metrics = finish(tmp_path / "parts")
    assert without_clock(metrics) == without_clock(whole_metrics)
    for kind in ("model", "average"):
        assert all(torch.equal(whole[kind][name], parts[kind][name]) for name in whole[kind])


def test_a_kill_while_saving_loses_nothing(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    save_atomically({"step": 1}, path)

    def die_half_way(state, file):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", die_half_way)
    with pytest.raises(KeyboardInterrupt):
        save_atomically({"step": 2}, path)
    assert torch.load(path, weights_only=True) == {"step": 1}


def test_the_averaged_weights_carry_the_names_of_the_model(tmp_path):
    finish(tmp_path)
    assert set(averaged_weights(tmp_path)) == set(Line().model.state_dict())


def test_the_learning_rate_warms_up_and_then_falls():
    rates = [CONFIG.learning_rate_at(step) for step in range(12)]
    assert (
        rates[:3] == sorted(rates[:3]) and rates[3:] == sorted(rates[3:], reverse=True) and rates[-1] < 0.1 * max(rates)
    )
