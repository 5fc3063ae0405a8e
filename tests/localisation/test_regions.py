import numpy as np

from cogkit.localisation.regions import token_cover, token_region
from cogkit.world.judge import segment
from cogkit.world.render import render
from cogkit.world.scene import Scene, Thing, sample_scene


def test_the_first_latent_frame_is_one_frame_and_every_later_one_the_mean_of_four():
    mask = np.zeros((9, 32, 48), bool)
    mask[0, :16, :16] = True
    mask[1:3, 16:, 32:] = True  # half of the frames of latent frame 1
    mask[5:, 16:24, 16:32] = True  # half of the pixels, in all frames of latent frame 2
    expected = np.zeros((3, 2, 3))
    expected[0, 0, 0], expected[1, 1, 2], expected[2, 1, 1] = 1, 0.5, 0.5
    assert (token_cover(mask) == expected).all()
    assert (token_region(mask) == (expected >= 0.5)).all()
    assert token_region(mask, least=0.6).sum() == 3  # each frame falls back on its most covered token


def test_a_frame_without_the_object_has_no_region():
    mask = np.zeros((9, 32, 32), bool)
    mask[0] = True
    assert token_region(mask).any((1, 2)).tolist() == [True, False, False]


def test_the_judges_segmentation_agrees_with_the_true_masks_on_the_token_grid():
    shares = []
    for seed in range(20):
        scene = sample_scene(30_000_000 + seed, pairs="all")
        rendering = render(scene, 9, 64)
        for thing, mask in zip(scene.things, rendering.masks, strict=True):
            found = segment(rendering.frames, thing.colour)
            shares.append((found & mask).sum() / (found | mask).sum())
            assert (token_region(found) ^ token_region(mask)).sum() <= 1
    assert min(shares) > 0.9


def test_a_colour_that_is_not_there_is_not_segmented():
    scene = Scene((Thing("red", "star", "small", "left", 0.7, 0.5, 0.15),), "gray")
    assert not segment(render(scene, 1, 64).frames, "blue").any()
