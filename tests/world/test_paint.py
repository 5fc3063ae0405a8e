import numpy as np
import pytest

from cogkit.world.captions import caption
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


def test_a_caption_names_a_paint_in_between_and_never_calls_a_paint_by_the_palette():
    said_words = set()
    for k in range(200):
        scene = sample_scene(k, things=1, painted=1.0)
        said = caption(scene, k)
        words = set(said.replace(",", "").split())
        assert "#" not in said and "  " not in said and not words & set(COLOURS)
        assert words & set(IN_BETWEEN) == {spoken(scene.things[0].colour)} - {""}
        said_words |= words
    assert said_words >= set(IN_BETWEEN)


def test_names_stand_well_apart_on_the_circle_of_hues():
    hues = np.sort([*map(hue_of, COLOURS.values()), *IN_BETWEEN.values()])
    assert np.diff(hues, append=hues[0] + 360).min() >= 12


def test_the_palette_is_called_by_its_own_names():
    assert [spoken(name) for name in COLOURS] == list(COLOURS)
