from dataclasses import replace

import numpy as np
import pytest

from cogkit.world.scene import DURATION, allowed_pairs, exchangeable, sample_scene
from cogkit.world.vocabulary import BACKGROUNDS, COLOURS, HELD_OUT_PAIRS, MOTIONS, SHAPES


def test_the_same_seed_gives_the_same_scene():
    assert [sample_scene(k) for k in range(20)] == [sample_scene(k) for k in range(20)]
    assert len({sample_scene(k) for k in range(20)}) == 20


def test_the_world_is_as_rich_as_promised():
    assert len(COLOURS) >= 8 and len(SHAPES) >= 5 and len(BACKGROUNDS) >= 6
    assert {"right", "left", "up", "down", "still", "grow", "shrink"} <= set(MOTIONS)
    assert {name for name, m in MOTIONS.items() if m.vx and m.vy} == {"up-right", "up-left", "down-right", "down-left"}


def test_held_out_pairs_never_appear_in_training_and_others_never_among_the_held_out():
    assert all((t.colour, t.shape) not in HELD_OUT_PAIRS for k in range(500) for t in sample_scene(k).things)
    assert all(
        (t.colour, t.shape) in HELD_OUT_PAIRS for k in range(100) for t in sample_scene(k, pairs="held out").things
    )
    assert set(allowed_pairs("training")) | HELD_OUT_PAIRS == set(allowed_pairs("all"))


def test_every_held_out_colour_and_shape_is_seen_in_training_in_other_pairs():
    trained = allowed_pairs("training")
    for colour, shape in HELD_OUT_PAIRS:
        assert any(c == colour for c, _ in trained) and any(s == shape for _, s in trained)


def test_things_stay_inside_the_frame_and_never_touch():
    for k in range(200):
        scene = sample_scene(k, things=2)
        for seconds in (0.0, DURATION / 2, DURATION):
            (xa, ya, ra), (xb, yb, rb) = (thing.at(seconds) for thing in scene.things)
            assert (xa - xb) ** 2 + (ya - yb) ** 2 > (ra + rb) ** 2
            for x, y, r in ((xa, ya, ra), (xb, yb, rb)):
                assert min(x, y) - r >= 0 and max(x, y) + r <= 1


def test_two_things_never_share_a_colour():
    assert all(len({t.colour for t in sample_scene(k, things=2).things}) == 2 for k in range(100))


def test_an_unknown_kind_of_pairs_is_refused_by_name():
    with pytest.raises(ValueError, match="pairs='some' is not known"):
        allowed_pairs("some")


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_asked_share_of_scenes_has_two_things(share):
    assert np.mean([len(sample_scene(k, two=share).things) == 2 for k in range(400)]) == pytest.approx(share, abs=0.08)


def test_two_things_are_exchangeable_if_neither_pair_that_comes_of_it_is_held_out():
    def thing(colour, shape):
        return replace(sample_scene(0).things[0], colour=colour, shape=shape)

    assert exchangeable((thing("red", "circle"), thing("blue", "star"))) is False  # a red star
    assert exchangeable((thing("blue", "star"), thing("red", "circle"))) is False
    assert exchangeable((thing("#f01010", "circle"), thing("blue", "star"))) is False  # a paint that is nearest to red
    assert exchangeable((thing("yellow", "circle"), thing("blue", "star"))) is True
