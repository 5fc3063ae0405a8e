import torch

import cogkit.training.muon as muon
from cogkit.training.muon import Muon


def stepped(kind):
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(16, 24))
    weight.grad = torch.randn(16, 24)
    kind([weight], lr=0.1).step()
    return weight.detach()


def test_without_fast_bfloat16_it_orthogonalises_in_the_precision_of_the_gradient(monkeypatch):
    monkeypatch.setattr(muon, "cpu_has_fast_bf16", lambda: False)
    exact, rounded = stepped(Muon), stepped(torch.optim.Muon)
    assert not torch.equal(exact, rounded)
    torch.testing.assert_close(exact, rounded, atol=2e-3, rtol=0)  # bfloat16 has 8 bits


def test_with_it_the_step_is_torchs_own(monkeypatch):
    monkeypatch.setattr(muon, "cpu_has_fast_bf16", lambda: True)
    assert torch.equal(stepped(Muon), stepped(torch.optim.Muon))


def test_outside_of_a_step_bfloat16_means_bfloat16(monkeypatch):
    monkeypatch.setattr(muon, "cpu_has_fast_bf16", lambda: False)
    stepped(Muon)
    assert torch.ones(1).bfloat16().dtype == torch.bfloat16
