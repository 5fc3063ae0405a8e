import numpy as np
import pytest

from cogkit.plots.figure import PlotError
from cogkit.plots.strips import as_clip, even, grown, spans


def test_latent_frames_stand_for_one_frame_and_then_four_each():
    assert spans(9, 3) == [range(1), range(1, 5), range(5, 9)]


def test_folded_latent_frames_share_the_frames_evenly_and_none_is_lost():
    parts = spans(81, 11)
    assert [k for part in parts for k in part] == list(range(81)) and {len(part) for part in parts} <= {7, 8}


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
