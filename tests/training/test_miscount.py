from dataclasses import replace

import numpy as np
import torch

from cogkit.training.miscount import ELSEWHERE, FROM, MISSING, UNTIL, miscounted, weights
from cogkit.world.render import render
from cogkit.world.scene import sample_scene

SCENES = [sample_scene(seed, two=0.7, painted=0.5) for seed in range(200)]
WRONG = [miscounted(scene, seed) for seed, scene in enumerate(SCENES)]


def is_a_copy(thing, things):
    return thing not in things and any(replace(thing, x=t.x, y=t.y, radius=t.radius) == t for t in things)


def moved(scene, wrong):
    return not set(scene.things) & set(wrong.things)


def test_a_miscounted_scene_has_everything_elsewhere_or_one_or_two_copies_or_one_of_two_things_alone():
    elsewhere, missing, full = 0, 0, 0
    for scene, wrong in zip(SCENES, WRONG, strict=True):
        assert wrong.background == scene.background
        if wrong == scene:  # there was no room
            full += 1
        elif moved(scene, wrong):  # all of them
            elsewhere += 1
            assert all(is_a_copy(b, (a,)) for a, b in zip(scene.things, wrong.things, strict=True))
        elif len(wrong.things) < len(scene.things):
            missing += 1
            assert len(scene.things) == 2 and wrong.things[0] in scene.things
        else:
            copies, kept = wrong.things[: -len(scene.things)], wrong.things[-len(scene.things) :]
            assert kept == scene.things and len(copies) in (1, 2)
            assert all(is_a_copy(copy, scene.things) for copy in copies)
    two = sum(len(scene.things) == 2 for scene in SCENES)
    assert abs(elsewhere / len(SCENES) - ELSEWHERE) < 0.1
    assert abs(missing / two - MISSING) < 0.1
    assert full < 0.05 * len(SCENES)


def test_where_one_of_two_things_finds_no_other_place_both_stay():
    scene = sample_scene(727, two=0.5, painted=0.5)
    assert len(scene.things) == 2 and miscounted(scene, 727) == scene


def test_the_things_themselves_are_drawn_whole_and_copies_stay_in_the_frame():
    for scene, wrong in zip(SCENES[:40], WRONG[:40], strict=True):
        masks = render(wrong, 17, 64).masks
        assert not masks[:, :, [0, -1]].any() and not masks[..., [0, -1]].any()
        if len(wrong.things) > len(scene.things):
            assert np.array_equal(masks[-len(scene.things) :], render(scene, 17, 64).masks)


def test_only_where_there_is_doubt_and_the_sentence_names_all_things_a_clip_is_miscounted():
    one, two = sample_scene(0, things=1), sample_scene(0, things=2)
    scenes, named = [one, two, two, two], [one.things, two.things, two.things[:1], ()]

    def drawn(t):
        return weights(scenes, scenes, named, torch.full((4,), t), np.random.default_rng(0))

    for t in (FROM, 700, UNTIL - 1):
        weight = drawn(t)
        assert ((0 < weight) & (weight < 1)).tolist() == [True, True, False, False]
        assert weight[0] != weight[1]
    assert not drawn(FROM - 1).any() and not drawn(UNTIL).any()


def test_where_everything_is_in_two_places_the_scene_of_the_sentence_is_the_stronger_one():
    named, t = [scene.things for scene in SCENES], torch.full((len(SCENES),), 700)
    weight = weights(SCENES, WRONG, named, t, np.random.default_rng(0))
    two_places = torch.tensor([moved(scene, wrong) for scene, wrong in zip(SCENES, WRONG, strict=True)])
    assert weight[two_places].max() < 0.5 and weight[two_places].max() > 0.4
    assert weight[~two_places].max() > 0.9
