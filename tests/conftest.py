"""What the tests share: the shipped pipeline, loaded once in fp32."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest


@pytest.fixture(scope="session")
def nano():
    import torch

    from cogkit.checkpoints import load

    pipe = load("nano", dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe
