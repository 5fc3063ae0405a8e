"""Muon on any CPU: torch's own orthogonalises in bfloat16, which takes seconds a step where the CPU must emulate it."""

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from cogkit.checkpoints import cpu_has_fast_bf16


class _NoBfloat16(TorchFunctionMode):
    """Inside of it `tensor.bfloat16()` gives the tensor back as it is."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        return args[0] if function is Tensor.bfloat16 else function(*args, **(kwargs or {}))


class Muon(torch.optim.Muon):
    """torch.optim.Muon, in the precision of the gradients unless bfloat16 is fast here."""

    @torch.no_grad()
    def step(self, closure=None):
        if cpu_has_fast_bf16():
            return super().step(closure)
        with _NoBfloat16():
            return super().step(closure)
