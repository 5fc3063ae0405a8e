import numpy as np
import pytest

from cogkit.world.render import background_image, coverage, render
from cogkit.world.scene import Scene, Thing, sample_scene
from cogkit.world.vocabulary import BACKGROUNDS, COLOURS, MOTIONS, SHAPES


def one(shape="square", motion="still", x=0.5, y=0.5, radius=0.2):
    return Scene((Thing("red", shape, "large", motion, x, y, radius),), "gray")


def test_rendering_is_deterministic():
    scene = sample_scene(3)
    assert (render(scene).frames == render(scene).frames).all()


@pytest.mark.parametrize("size", [16, 64, (48, 80)])
@pytest.mark.parametrize("frames", [1, 5, 17])
def test_any_size_and_frame_count_can_be_drawn(size, frames):
    height, width = (size, size) if isinstance(size, int) else size
    frames_, masks = render(sample_scene(0, things=2), frames, size)
    assert frames_.shape == (frames, height, width, 3) and masks.shape == (2, frames, height, width)


@pytest.mark.parametrize("shape", SHAPES)
def test_coverage_measures_the_same_area_at_every_resolution(shape):
    """Anti-aliasing: a small picture is the average of a large one, not a staircase."""

    def area(side):
        axis = (np.arange(side, dtype=np.float32) + 0.5) / side - 0.5
        return coverage(shape, axis[None], axis[:, None], 0.2, side).sum() / side**2

    assert area(64) == pytest.approx(area(512), rel=0.02)


def test_edges_are_partly_covered():
    red = render(one(x=0.503), 1, 64).frames[0, 32, :, 0].astype(int)
    assert len(set(red)) > 2


def test_masks_are_where_the_colour_is():
    frames, masks = render(one("circle"), 1, 128)
    assert (np.abs(frames[masks[0]].mean(0) - COLOURS["red"]) < 8).all()
    assert (np.abs(frames[0][~masks[0, 0]].astype(int) - 128).max(-1) > 60).mean() < 0.01


def test_a_thing_in_front_takes_the_pixels_from_the_mask_behind():
    scene = Scene((one().things[0], Thing("blue", "circle", "small", "still", 0.5, 0.5, 0.1)), "black")
    behind, front = render(scene, 1, 64).masks[:, 0]
    assert front.any() and behind.any() and not (behind & front).any()


@pytest.mark.parametrize("name", [m for m in MOTIONS if MOTIONS[m].vx or MOTIONS[m].vy])
def test_things_move_where_their_motion_says(name):
    masks = render(one(motion=name), 9, 64).masks[0]
    (y0, x0), (y1, x1) = (np.argwhere(masks[k]).mean(0) for k in (0, 8))
    motion = MOTIONS[name]
    assert (x1 - x0, y1 - y0) == pytest.approx((motion.vx * 64, motion.vy * 64), abs=0.7)


def test_growing_things_grow_and_shrinking_things_shrink():
    for name, sign in (("grow", 1), ("shrink", -1)):
        areas = render(one(motion=name), 17, 64).masks[0].sum((1, 2))
        assert sign * (areas[-1] - areas[0]) > 0.3 * areas.min()


def test_some_backgrounds_are_not_flat_and_all_are_neutral_and_different():
    pictures = {name: background_image(name, 64, 64) for name in BACKGROUNDS}
    assert sum(picture.std() > 5 for picture in pictures.values()) >= 2
    for name, picture in pictures.items():
        assert (np.ptp(picture, axis=-1) == 0).all()
        assert all(np.abs(picture - other).mean() > 10 for n, other in pictures.items() if n != name)


def test_an_unknown_background_is_refused_by_name():
    with pytest.raises(ValueError, match="'plaid' is not in the vocabulary"):
        background_image("plaid", 8, 8)
