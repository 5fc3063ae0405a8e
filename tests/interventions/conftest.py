"""One tiny pipeline for all, and one way to call it."""

import pytest

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
