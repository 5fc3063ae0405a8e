import numpy as np
import pytest

from cogkit.world.captions import caption
from cogkit.world.judge import read_video
from cogkit.world.paint import mix_paint, nameless, nearest_name, rgb
from cogkit.world.render import render
from cogkit.world.scene import sample_scene
from cogkit.world.vocabulary import COLOURS, HELD_OUT_PAIRS


def test_every_colour_is_nearest_to_its_own_name():
    assert [nearest_name(c) for c in COLOURS.values()] == list(COLOURS)


def test_scenes_without_paint_are_what_they_were():
    assert all(sample_scene(k) == sample_scene(k, painted=0.0) for k in range(50))


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_the_asked_share_of_things_is_painted(share):
    things = [thing for k in range(600) for thing in sample_scene(k, painted=share).things]
    assert np.mean([nameless(thing.colour) for thing in things]) == pytest.approx(share, abs=0.05)


def test_the_judge_never_sees_a_held_out_pair_in_a_painted_scene():
    for k in range(40):
        seen = read_video(render(sample_scene(k, things=1, painted=1.0), 9, 64).frames).things
        assert not {(thing.colour, thing.shape) for thing in seen} & HELD_OUT_PAIRS


def test_paints_are_of_every_hue():
    dice = np.random.default_rng(0)
    assert {nearest_name(rgb(mix_paint(dice, "circle"))) for _ in range(200)} == set(COLOURS) - {"purple"}


def test_a_caption_does_not_name_a_paint():
    for k in range(100):
        said = caption(sample_scene(k, painted=1.0), k)
        assert "#" not in said and "  " not in said and not set(said.replace(",", "").split()) & set(COLOURS)
