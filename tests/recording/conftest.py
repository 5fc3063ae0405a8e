"""One tiny pipeline for all, one way to call it, and one to weigh what is held meanwhile."""

import weakref

import pytest
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

PROMPT = "a red circle moving right, red"


@pytest.fixture(scope="session")
def pipe(tiny_pipe):
    return tiny_pipe()


@pytest.fixture(scope="session")
def generate():
    """generate(pipe, **changes): latents of a run whose settings are always the same."""
    import torch

    def call(pipe, **changes):
        settings = {
            "prompt": PROMPT,
            "num_frames": 9,
            "height": 64,
            "width": 64,
            "num_inference_steps": 2,
            "max_sequence_length": 16,
            "output_type": "latent",
        }
        return pipe(**settings | changes, generator=torch.Generator().manual_seed(0)).frames

    return call


class Held(TorchDispatchMode):
    """The most bytes that new tensors hold at one time."""

    now = peak = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        given = {t.untyped_storage().data_ptr() for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor) and tensor.untyped_storage().data_ptr() not in given:
                self._hold(tensor.untyped_storage().nbytes())
                weakref.finalize(tensor, self._hold, -tensor.untyped_storage().nbytes())
        return out

    def _hold(self, size: int) -> None:
        self.now += size
        self.peak = max(self.peak, self.now)


@pytest.fixture(scope="session")
def held():
    """with held() as most: ... ; most.peak is in bytes."""
    return Held
