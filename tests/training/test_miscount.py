from dataclasses import replace

import numpy as np
import torch

from cogkit.training.miscount import FROM, MISSING, UNTIL, miscounted, weights
from cogkit.world.render import render
from cogkit.world.scene import sample_scene

SCENES = [sample_scene(seed, two=0.7, painted=0.5) for seed in range(200)]
WRONG = [miscounted(scene, seed) for seed, scene in enumerate(SCENES)]


def test_a_miscounted_scene_shows_one_or_two_copies_of_its_things_or_one_of_two_things_alone():
    missing, full = 0, 0
    for scene, wrong in zip(SCENES, WRONG, strict=True):
        assert wrong.background == scene.background
        if wrong == scene:
            full += 1
            assert len(scene.things) == 1
            continue
        if len(wrong.things) < len(scene.things):
            missing += 1
            assert len(scene.things) == 2 and wrong.things[0] in scene.things
            continue
        copies, kept = wrong.things[: -len(scene.things)], wrong.things[-len(scene.things) :]
        assert kept == scene.things and len(copies) in (1, 2)
        for copy in copies:
            assert copy not in scene.things, "a copy is in another place"
            assert any(replace(copy, x=t.x, y=t.y, radius=t.radius) == t for t in scene.things)
    two = sum(len(scene.things) == 2 for scene in SCENES)
    assert MISSING - 0.1 < missing / two < MISSING + 0.2  # and where there is no room for a copy
    assert full < 0.05 * len(SCENES)


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
        return weights(scenes, named, torch.full((4,), t), np.random.default_rng(0))

    for t in (FROM, 700, UNTIL - 1):
        weight = drawn(t)
        assert ((0 < weight) & (weight < 1)).tolist() == [True, True, False, False]
        assert weight[0] != weight[1]
    assert not drawn(FROM - 1).any() and not drawn(UNTIL).any()
