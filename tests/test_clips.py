import numpy as np
import pytest

from cogkit.clips import filmstrip, read_clip, to_frames, to_video, write_clip
from cogkit.world.render import render
from cogkit.world.scene import sample_scene


def test_frames_and_video_round_trip_exactly():
    frames = render(sample_scene(0), 5, 32).frames
    video = to_video(frames)
    assert video.shape == (1, 3, 5, 32, 32) and -1 <= video.min() and video.max() <= 1
    assert (to_frames(video)[0] == frames).all()


def test_a_written_clip_reads_back_nearly_unchanged(tmp_path):
    frames = render(sample_scene(1), 9, 64).frames
    write_clip(tmp_path / "clip.mp4", frames)
    again = read_clip(tmp_path / "clip.mp4")
    assert again.shape == frames.shape
    assert np.abs(again.astype(int) - frames).mean() < 4  # colour is stored at half the resolution


@pytest.mark.parametrize(
    ("frames", "columns", "shown"), [(17, 9, [0, 2, 4, 6, 8, 10, 12, 14, 16]), (3, 9, [0, 1, 2]), (1, 9, [0])]
)
def test_a_filmstrip_shows_evenly_chosen_frames_with_the_first_and_the_last(frames, columns, shown):
    clip = np.arange(frames, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    strip = filmstrip(clip, columns, gap=2)
    assert strip.shape == (4, 4 * len(shown) + 2 * (len(shown) - 1), 3)
    assert strip[0, ::6, 0].tolist() == shown
