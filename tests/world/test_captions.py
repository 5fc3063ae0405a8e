import re
from dataclasses import replace

from cogkit.world.captions import canonical, caption, every_word, said_of
from cogkit.world.scene import Scene, Thing, sample_scene

STAR = Thing("orange", "star", "small", "up-left", 0.5, 0.5, 0.15)


def test_one_scene_has_many_phrasings_and_a_seed_chooses_one():
    scene = Scene((STAR,), "striped")
    assert len({caption(scene, k) for k in range(100)}) > 50
    assert caption(scene, 7) == caption(scene, 7)


def test_the_plain_sentence_says_everything_once():
    scene = Scene((STAR, Thing("red", "circle", "large", "grow", 0.2, 0.2, 0.1)), "gray")
    assert canonical(scene) == "an orange star moving up and left and a red circle growing on a gray background"
    assert canonical(scene, still_frame=True) == "an orange star and a red circle on a gray background"


def test_captions_name_every_colour_and_shape():
    said = {"violet": "purple"}
    for k in range(200):
        scene = sample_scene(k)
        words = [said.get(w, w) for w in caption(scene, k).split()]
        assert all(t.colour in words and t.shape in words for t in scene.things)


def test_a_single_picture_says_nothing_about_movement():
    moving = re.compile(r"mov|slid|drift|go(es|ing)|travel|grow|shrink|bigger|smaller|larger|still|rest")
    assert not any(moving.search(caption(sample_scene(k), k, still_frame=True)) for k in range(200))


def test_some_captions_leave_the_background_and_some_the_movement_out():
    said = [caption(Scene((STAR,), "striped"), k) for k in range(300)]
    assert 5 < sum("background" not in s for s in said) < 60
    assert 5 < sum(" up" not in s and "upper" not in s for s in said) < 60


def test_what_a_sentence_says_of_a_thing_is_found_in_every_phrasing_and_missed_where_it_is_left_out():
    everything, silent = {"shape", "colour", "motion"}, 0
    for k in range(300):
        scene = sample_scene(k)
        said = [said_of(thing, caption(scene, k)) for thing in scene.things]
        silent += all("motion" not in each for each in said)
        assert all(each in (everything, everything - {"motion"}) and each == said[0] for each in said)
        assert all(said_of(thing, canonical(scene)) == everything for thing in scene.things)
        assert all(said_of(thing, canonical(scene, True)) == everything - {"motion"} for thing in scene.things)
    assert 10 < silent < 50
    assert said_of(STAR, "an orange star moving up and right on a gray background") == {"shape", "colour"}
    assert said_of(STAR, "a circle moving up and left on a gray background") == {"motion"}
    assert said_of(replace(STAR, colour="purple"), "a violet star moving") == {"shape", "colour"}
    assert said_of(STAR, "") == set()


def test_every_word_of_every_caption_is_in_the_word_list():
    known = set(every_word())
    for k in range(300):
        assert set(caption(sample_scene(k), k).replace(",", "").split()) <= known
