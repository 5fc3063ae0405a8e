import pytest

from cogkit.shapes import SizeError, check_frames, check_size, latent_frames, pixel_frames


def test_frame_counts_of_the_form_4k_plus_1_round_trip():
    assert [latent_frames(f) for f in (1, 9, 17, 49)] == [1, 3, 5, 13]
    assert all(pixel_frames(latent_frames(f)) == f for f in range(1, 200, 4))


@pytest.mark.parametrize("frames", [1, 9, 17, 49])
def test_frame_counts_of_the_form_8k_plus_1_are_accepted(frames):
    check_frames(frames)


@pytest.mark.parametrize(
    ("frames", "near"), [(0, "1 or 9"), (-3, "1 or 9"), (5, "1 or 9"), (16, "9 or 17"), (18, "17 or 25")]
)
def test_other_frame_counts_are_refused_with_the_nearest_that_work(frames, near):
    with pytest.raises(SizeError, match=rf"frames={frames} .* 8k\+1 .*use {near}"):
        check_frames(frames)


@pytest.mark.parametrize(
    ("size", "axis", "near"),
    [((100, 128), "height=100", "96 or 112"), ((64, 8), "width=8", "use 16"), ((0, 64), "height=0", "use 16")],
)
def test_sizes_that_do_not_divide_into_patches_are_refused(size, axis, near):
    with pytest.raises(SizeError, match=f"{axis} .* multiple of 16 pixels.*{near}"):
        check_size(*size)


def test_the_vae_alone_takes_sizes_of_whole_latents():
    check_size(24, 8, multiple=8)
    with pytest.raises(SizeError, match="width=12 .* multiple of 8 pixels; use 8 or 16"):
        check_size(24, 12, multiple=8)
