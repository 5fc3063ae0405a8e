"""The judge is trusted with generated videos only because of what is measured here."""

import numpy as np
import pytest

from cogkit.world.judge import Reading, Sighting, read_video
from cogkit.world.render import render
from cogkit.world.scene import Scene, Thing, sample_scene
from cogkit.world.scores import Scores

UNSEEN = 20_000_000


@pytest.mark.parametrize(("size", "frames", "clips"), [(128, 17, 25), (64, 17, 60), (64, 9, 60), (128, 1, 60)])
def test_at_least_99_percent_of_attributes_of_true_renderings_are_read_right(size, frames, clips):
    scores = Scores()
    for k in range(clips):
        scene = sample_scene(UNSEEN + k, pairs="all")
        scores.add(scene, read_video(render(scene, frames, size).frames), motion=frames > 1)
    assert min(scores.rates().values()) >= 0.99, scores.confusions()


def test_noise_and_blur_do_not_confuse_it():
    scores, dice = Scores(), np.random.default_rng(0)
    for k in range(30):
        scene = sample_scene(UNSEEN + k)
        frames = render(scene, 9, 64).frames.astype(float)
        frames = (frames + np.roll(frames, 1, 1) + np.roll(frames, 1, 2)) / 3 + dice.normal(0, 10, frames.shape)
        scores.add(scene, read_video(frames.clip(0, 255).astype(np.uint8)))
    assert scores.rates()["colour"] >= 0.97 and scores.rates()["motion"] >= 0.95, scores.confusions()


def test_an_empty_scene_has_no_objects():
    assert read_video(render(Scene((), "checkered"), 9, 64).frames) == Reading((), "checkered")


def test_a_wrong_attribute_is_counted_where_it_is_wrong():
    scene = Scene((Thing("red", "star", "small", "left", 0.7, 0.5, 0.15),), "gray")
    scores = Scores()
    assert not scores.add(scene, Reading((Sighting("red", "circle", "left", 0.15, 0.5, 0.5),), "gray"))
    assert scores.rates() == {"colour": 1.0, "shape": 0.0, "motion": 1.0, "background": 1.0, "all": 0.0}
    assert "| shape | star | circle | 1 |" in scores.confusions()


def test_a_missing_object_and_one_too_many_both_cost():
    scene = Scene((Thing("red", "star", "small", "left", 0.7, 0.5, 0.15),), "gray")
    seen = Sighting("red", "star", "left", 0.15, 0.5, 0.5)
    extra = Sighting("blue", "circle", "still", 0.1, 0.2, 0.2)
    for things in ((), (seen, extra)):
        scores = Scores()
        assert not scores.add(scene, Reading(things, "gray"))
        assert scores.rates()["background"] == 1.0 and scores.rates()["shape"] < 1.0
