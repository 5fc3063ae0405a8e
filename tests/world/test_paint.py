import numpy as np
import pytest

from cogkit.world.captions import UNSAID, canonical, caption
from cogkit.world.judge import read_video
from cogkit.world.paint import hue_of, is_paint, mix_paint, nearest_name, rgb, spoken
from cogkit.world.render import render
from cogkit.world.scene import sample_scene
from cogkit.world.vocabulary import COLOURS, HELD_OUT_PAIRS, IN_BETWEEN


def test_every_colour_is_nearest_to_its_own_name():
    assert [nearest_name(c) for c in COLOURS.values()] == list(COLOURS)


def test_scenes_without_paint_are_what_they_were():
    assert all(sample_scene(k) == sample_scene(k, painted=0.0) for k in range(50))


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_the_asked_share_of_things_is_painted(share):
    things = [thing for k in range(600) for thing in sample_scene(k, painted=share).things]
    assert np.mean([is_paint(thing.colour) for thing in things]) == pytest.approx(share, abs=0.05)


def test_the_judge_never_sees_a_held_out_pair_in_a_painted_scene():
    for k in range(40):
        seen = read_video(render(sample_scene(k, things=1, painted=1.0), 9, 64).frames).things
        assert not {(thing.colour, thing.shape) for thing in seen} & HELD_OUT_PAIRS


def test_paints_are_of_every_hue():
    dice = np.random.default_rng(0)
    assert {nearest_name(rgb(mix_paint(dice, "circle"))) for _ in range(200)} == set(COLOURS) - {"purple"}


def test_a_caption_calls_a_paint_by_the_closest_name_or_by_none():
    named, hues = [], set()
    for k in range(300):
        scene = sample_scene(k, things=1, painted=1.0)
        said = caption(scene, k)
        words = set(said.replace(",", "").replace("violet", "purple").split()) & {*COLOURS, *IN_BETWEEN}
        assert "#" not in said and "  " not in said and words <= {spoken(scene.things[0].colour)}
        named.append(bool(words))
        hues |= words
    assert hues == {*COLOURS, *IN_BETWEEN}
    assert np.mean(named) == pytest.approx(1 - UNSAID, abs=0.05)


def test_no_caption_of_a_painted_scene_names_a_held_out_pair():
    for k in range(1500):
        for thing in sample_scene(k, painted=0.85).things:
            assert (spoken(thing.colour), thing.shape) not in HELD_OUT_PAIRS


def test_whoever_is_called_by_the_palette_is_closest_to_that_name_for_the_judge_too():
    dice = np.random.default_rng(0)
    paints = [mix_paint(dice, "circle") for _ in range(2000)]
    assert all(spoken(paint) in (nearest_name(rgb(paint)), *IN_BETWEEN) for paint in paints)


def test_the_plainest_sentence_says_a_paints_name():
    scene = sample_scene(0, things=1, painted=1.0)
    assert f" {spoken(scene.things[0].colour)} {scene.things[0].shape} " in canonical(scene)


def test_two_paints_in_a_scene_have_two_names():
    for k in range(200):
        things = sample_scene(k, things=2, painted=1.0).things
        assert len({spoken(thing.colour) for thing in things}) == 2


def test_names_stand_well_apart_on_the_circle_of_hues():
    hues = np.sort([*map(hue_of, COLOURS.values()), *IN_BETWEEN.values()])
    assert np.diff(hues, append=hues[0] + 360).min() >= 12


def test_the_palette_is_called_by_its_own_names():
    assert [spoken(name) for name in COLOURS] == list(COLOURS)
