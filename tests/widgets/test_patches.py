"""A token covers the pixels and latents that patchify puts into it, and the slider ends with the sequence."""

import pytest
import torch

from cogkit.plots.figure import PlotError
from cogkit.plots.patches import token_cover
from cogkit.transformer.patchify import patchify
from cogkit.widgets.patches import PatchExplorer, look


def test_the_latent_pixels_are_those_that_patchify_puts_into_the_token():
    latents = torch.stack(torch.meshgrid(*(torch.arange(n) for n in (5, 8, 12)), indexing="ij"), dim=1)[None].float()
    patches = patchify(latents)[0]  # (n, channel 2 2), the channels being t, y, x
    for token in (0, 29, 119):
        t, y, x = patches[token].reshape(3, 4)
        lines = token_cover(17, 64, 96, token).table.splitlines()[1:]
        found = {line[:16].strip(): [int(n) for n in line[16:].split()] for line in lines}
        assert found["latent pixels, y"] == [y.min(), y.max()] and found["latent pixels, x"] == [x.min(), x.max()]
        assert found["frames"] == ([0, 0] if t[0] == 0 else [4 * t[0] - 3, 4 * t[0]])
        assert found["pixels, x"] == [8 * x.min(), 8 * x.max() + 7]


def test_neighbours_in_the_read_out_are_one_apart_in_place():
    readout = look(17, (128, 128), 156)[1]
    assert "Right neighbour: token 157. Below: token 164." in readout and "later: token 220." in readout
    assert "Right neighbour: none, this is the edge" in look(17, (128, 128), 7)[1]


def test_frame_0_makes_a_token_of_fewer_pixels():
    assert "for 768 (3 colours of 16 x 16 pixels in 1 frame)" in look(17, (128, 128), 0)[1]
    assert "for 3,072 (3 colours of 16 x 16 pixels in 4 frames)" in look(17, (128, 128), 64)[1]


def test_a_token_beyond_the_sequence_is_refused():
    with pytest.raises(PlotError, match="tokens 0 to 319"):
        token_cover(17, 128, 128, 320)


def test_the_slider_follows_the_size():
    explorer = PatchExplorer()
    explorer.controls["size"].value = (64, 64)
    assert explorer.controls["token"].max == 5 * 4 * 4 - 1 == explorer.controls["token"].value
    explorer.controls["frames"].value = 49
    assert explorer.controls["token"].max == 13 * 4 * 4 - 1 and "<img" in explorer.view.value
