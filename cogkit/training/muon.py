"""Muon for matrices and AdamW for the rest, on any CPU.

Torch's own Muon orthogonalises in bfloat16, which takes seconds a step where the CPU must emulate it.
"""

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cogkit.checkpoints import cpu_has_fast_bf16

MUON_SHARE = 3.0  # of the learning rate


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


def muon_and_adamw(model: nn.Module, matrices: list[nn.Parameter], weight_decay: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices, AdamW for all else that is trained of `model`."""
    apart = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in apart and p.requires_grad]
    optimisers = [torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=weight_decay, fused=True)]
    if matrices:
        groups = [{"params": matrices, "share": MUON_SHARE}]
        optimisers.append(Muon(groups, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"))
    return optimisers
