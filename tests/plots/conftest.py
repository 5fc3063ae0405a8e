"""A recording of nothing: arrays of known values, named as `cogkit.record` names them."""

import matplotlib

matplotlib.use("agg")

import numpy as np
import pytest

from cogkit.recording.runs import Run, named

STEPS, LAYERS, HEADS, FRAMES, SIDE = 4, 3, 2, 3, 4
TIMES = [999, 749, 499, 249]


@pytest.fixture
def clip():
    """Nine gray frames of 32x32; a red square moves right by three pixels a frame."""
    frames = np.full((9, 32, 32, 3), 128, np.uint8)
    for k in range(9):
        frames[k, 12:20, 3 * k : 3 * k + 8] = (222, 38, 38)
    return frames


@pytest.fixture
def run():
    """ "hot" is read at patch (frame k, y 1, x k) nine times as much as elsewhere, "even" everywhere the same.

    Head h of layer l looks at its own frame with mass 0.5 + 0.1 l + 0.2 h (of 1), the rest is spread. Step 3 came from
    a cache.
    """
    rng = np.random.default_rng(0)
    lift = np.full((STEPS, 1, LAYERS, FRAMES, SIDE, SIDE, 5), 1.0, np.float16)
    lift[..., 2] = 10  # <prompt>
    for k in range(FRAMES):
        lift[:, :, :, k, 1, k, 0] = 9
    own = np.array([[0.5 + 0.1 * layer + 0.2 * head for head in range(HEADS)] for layer in range(LAYERS)])
    same = np.eye(FRAMES)
    mass = own[..., None, None] * same + (1 - own[..., None, None]) / (FRAMES - 1) * (1 - same)
    mass = np.broadcast_to(0.8 * mass, (STEPS, 1, *mass.shape)).astype(np.float32).copy()
    mass[3] = np.nan
    text = np.full((STEPS, 1, LAYERS, HEADS, FRAMES, 3), 0.2 / 3, np.float32)
    x0 = rng.normal(size=(FRAMES, 16, 8, 8)).astype(np.float32)
    away = np.array([1, 0.4, 0.05, 0], np.float32)[:, None, None, None, None]
    noise = rng.normal(size=(STEPS, *x0.shape)).astype(np.float32)
    values = {
        "video->text": {
            "lift": (
                ("step", "branch", "layer", "frame", "y", "x", "word"),
                lift,
                {"pieces": [[1, 1, 5, 1, 200]]},
            )
        },
        "frame->frame": {
            "mass": (("step", "branch", "layer", "head", "frame", "key_frame"), mass, {}),
            "text_mass": (("step", "branch", "layer", "head", "frame", "group"), text, {}),
        },
        "trajectory": {
            "latents": (("step", "latent_frame", "channel", "y", "x"), noise, {}),
            "x0": (("step", "latent_frame", "channel", "y", "x"), x0 * (1 - away), {}),
        },
    }
    for norm in (1, 2):
        for stream, size in (("video", 0.6), ("text", 0.2)):
            gate = np.full((STEPS, 1, LAYERS, 8), size / norm, np.float32)
            gate[:, :, 2] *= np.array([2, 1, 1, 1])[:, None, None] * -1  # layer 2 opens most in noise
            values[f"adaln{norm}.gate.{stream}"] = {"value": (("step", "branch", "layer", "channel"), gate, {})}
    notes = {"tokens": 100, "train_timestep": TIMES, "alpha_bar": [0, 0.2, 0.5, 0.9], "sigma": [1, 0.9, 0.7, 0.3]}
    notes["guidance"] = [6.0] * STEPS
    words = ["hot", "even", "<prompt>", "<eos>", "<pad>"]
    labels = {"step": list(range(STEPS)), "branch": ["cond"], "layer": list(range(LAYERS)), "word": words}
    labels |= {"group": ["prompt", "eos", "pad"]}
    measured = {str(step): list(range(LAYERS)) for step in range(STEPS - 1)}
    datasets = {}
    for group, arrays in values.items():
        axes = {axis for array in arrays.values() for axis in array[0]}
        coords = {axis: names for axis, names in labels.items() if axis in axes}
        datasets[group] = named(arrays, coords, measured, notes)
    return Run(datasets, notes)


@pytest.fixture
def numbers():
    """numbers(picture): its table as rows of words, without the header."""

    def split(picture):
        return [line.split() for line in picture.table.splitlines()[1:]]

    return split
