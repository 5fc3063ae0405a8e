import numpy as np
import pytest
import torch

from cogkit.plots.figure import PlotError
from cogkit.plots.strips import as_clip, even, grown, spans


def test_latent_frames_stand_for_one_frame_and_then_four_each():
    assert spans(9, 3) == [range(1), range(1, 5), range(5, 9)]


@pytest.mark.parametrize("latent", [21, 22], ids=["padded", "whole"])
def test_folded_latent_frames_stand_for_eight_frames_each_counted_from_the_end(latent):
    first = 1 if latent == 21 else 5
    assert spans(4 * latent - 3, 11) == [range(first), *(range(k, k + 8) for k in range(first, 4 * latent - 3, 8))]


def test_a_latent_frame_that_is_dropped_stands_beside_the_first_frame():
    assert spans(9, 4) == [range(1), *spans(9, 3)]


def test_the_pipeline_drops_what_it_padded_in_front(tiny_pipe, monkeypatch):
    pipe, call = tiny_pipe(patch_size_t=2, patch_bias=False), {"num_frames": 9, "num_inference_steps": 1}

    def latents(output_type):
        seed = torch.Generator().manual_seed(0)
        return pipe("red", **call, max_sequence_length=16, generator=seed, output_type=output_type).frames

    whole, decoded, decode = latents("latent"), [], pipe.decode_latents
    monkeypatch.setattr(pipe, "decode_latents", lambda given: decoded.append(given) or decode(given))
    assert latents("pt").shape[1] == 9 and whole.shape[1] == 4
    assert torch.equal(decoded[0], whole[:, 1:])


def test_evenly_chosen_places_have_the_first_and_the_last():
    assert even(17, 5) == [0, 4, 8, 12, 16] and even(3, 7) == [0, 1, 2]


def test_what_a_pipeline_returns_is_a_clip(clip):
    from PIL import Image

    assert (as_clip([Image.fromarray(frame) for frame in clip]) == clip).all()
    assert (as_clip(clip.astype(np.float32) / 255) == clip).all()
    with pytest.raises(PlotError, match=r"has shape \(9, 32, 32\); frames are"):
        as_clip(clip[..., 0])


def test_growing_repeats_every_pixel():
    assert grown(np.array([[1, 2]]), 2, 4).tolist() == [[1, 1, 2, 2]] * 2
