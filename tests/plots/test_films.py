import numpy as np
import pytest

from cogkit.plots.figure import PlotError
from cogkit.plots.films import filmstrips


def images(picture):
    return [[image.get_array() for image in axes.images] for axes in picture.axes]


def test_a_clip_is_a_row_of_frames_with_the_first_and_the_last_among_them(clip):
    picture = filmstrips(clip, "a film", columns=3)
    assert [np.array_equal(*pair) for pair in zip(images(picture)[0], clip[[0, 4, 8]], strict=True)] == [True] * 3
    assert [label.get_text() for label in picture.axes[0].get_xticklabels()] == ["frame 0", "frame 4", "frame 8"]
    assert picture.alt == "a film. 3 of 9 frames." and picture.get_suptitle() == "a film"


def test_of_several_clips_it_is_said_how_far_each_is_from_the_first(clip, numbers):
    other = np.clip(clip.astype(int), 0, 200).astype(np.uint8)
    other[4] = np.where(clip[4] > 100, clip[4] - 100, clip[4] + 100)
    picture = filmstrips({"clip": np.minimum(clip, 200), "changed": other})
    assert [axes.get_ylabel() for axes in picture.axes] == ["clip", "changed"]
    assert numbers(picture)[3] == ["3", "0"] and float(numbers(picture)[4][1]) > 50
    assert picture.alt.startswith("9 of 9 frames of clip, changed (") and "levels of 255 from clip" in picture.alt


def test_clips_of_two_shapes_are_refused_with_both(clip):
    with pytest.raises(PlotError, match="one is .9, 32, 32, 3. and other is .5, 32, 32, 3.; a strip needs one"):
        filmstrips({"one": clip, "other": clip[:5]})
