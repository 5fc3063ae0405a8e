"""One tiny pipeline for all, one way to call it, and dense attention to compare with."""

import pytest
import torch
from torch.overrides import TorchFunctionMode

PROMPT = "a red circle moving right, red"  # slots: a 0, red 1 and 6, circle 2, ... end mark 7, padding 8 to 15
TEXT, GRID = 16, (3, 2, 4)  # token grid: frames, y, x
VIDEO = 24


@pytest.fixture(scope="session")
def pipe(tiny_pipe):
    return tiny_pipe()


@pytest.fixture(scope="session")
def generate():
    """generate(pipe, seed=0, **changes): latents of a run whose settings are always the same."""

    def call(pipe, seed=0, **changes):
        settings = {
            "prompt": PROMPT,
            "num_frames": 9,
            "height": 32,
            "width": 64,
            "num_inference_steps": 2,
            "max_sequence_length": TEXT,
            "output_type": "latent",
        }
        return pipe(**settings | changes, generator=torch.Generator().manual_seed(seed)).frames

    return call


@pytest.fixture(scope="session")
def dense_attention():
    """dense_attention(weights): within it, all attention of the transformer is a dense float64 softmax.

    weights(call, shape) gives (on the exponentials, on the probabilities), for the so-and-so-many-th call.
    """

    class Dense(TorchFunctionMode):
        def __init__(self, weights):
            super().__init__()
            self.weights, self.call = weights, 0

        def __torch_function__(self, func, types, args=(), kwargs=None):
            if func is not torch.nn.functional.scaled_dot_product_attention:
                return func(*args, **(kwargs or {}))
            given = dict(zip(("query", "key", "value"), args, strict=False)) | (kwargs or {})
            if given["query"].shape[2] <= TEXT:  # the text encoder's
                return func(*args, **(kwargs or {}))
            q, k, v = (given[name].double() for name in ("query", "key", "value"))
            logits = q @ k.mT / q.shape[-1] ** 0.5
            on_exp, on_p = self.weights(self.call, logits.shape)
            self.call += 1
            return (((logits + on_exp.log()).softmax(-1) * on_p) @ v).to(given["value"].dtype)

    return Dense
