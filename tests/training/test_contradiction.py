from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from cogkit.training.contradiction import FROM, SHARE, UNTIL, answer, contradicted, denied, lie
from cogkit.training.diffusion import add_noise, new_scheduler
from cogkit.world.captions import canonical
from cogkit.world.paint import nearest_name, rgb
from cogkit.world.scene import Scene, sample_scene
from cogkit.world.vocabulary import HELD_OUT_PAIRS

ALPHA_BARS = new_scheduler().alphas_cumprod


def lies(moving, things=None):
    for seed in range(300):
        scene = sample_scene(seed, things=things, painted=0.5)
        yield scene, lie(scene, seed, moving)


@pytest.mark.parametrize("moving", [False, True])
def test_a_lie_differs_in_shapes_alone_or_in_colours_alone_and_shows_no_held_out_pair(moving):
    for scene, other in lies(moving):
        assert other.background == scene.background
        what, same = denied(scene, other), ({"shape", "colour"} - {denied(scene, other)}).pop()
        for was, now in zip(scene.things, other.things, strict=True):
            assert getattr(was, what) != getattr(now, what) and getattr(was, same) == getattr(now, same)
            assert {**vars(was), what: 0} == {**vars(now), what: 0}
            assert (nearest_name(rgb(now.colour)), now.shape) not in HELD_OUT_PAIRS


def test_of_two_things_shapes_are_often_exchanged_and_where_they_move_colours_too():
    for moving in (False, True):
        kinds = Counter()
        for scene, other in lies(moving, things=2):
            what = denied(scene, other)
            told, shown = ([getattr(thing, what) for thing in s.things] for s in (scene, other))
            kinds[what, "exchanged" if told == shown[::-1] else "other"] += 1
        assert kinds["shape", "exchanged"] > 50 and kinds["shape", "other"] > 50
        assert (kinds["colour", "exchanged"] > 50) == moving and kinds["colour", "other"] == 0


def test_where_the_clip_is_right_the_answer_is_the_usual_v():
    x0, noise = torch.randn(2, 4, 1, 16, 2, 2)
    t = torch.tensor([400, 600, 800, 949])
    usual = add_noise(x0, noise, t, ALPHA_BARS)
    torch.testing.assert_close(answer(usual.latents, x0, t, ALPHA_BARS), usual.v, rtol=0, atol=1e-5)


def test_where_the_clip_lies_the_answer_leads_to_the_scene_of_the_sentence():
    x0, lie, noise = torch.randn(3, 4, 1, 16, 2, 2)
    t = torch.tensor([400, 600, 800, 949])
    seen = add_noise(lie, noise, t, ALPHA_BARS).latents
    v = answer(seen, x0, t, ALPHA_BARS)
    alpha_bar = ALPHA_BARS.float()[t].view(-1, 1, 1, 1, 1)
    torch.testing.assert_close(alpha_bar.sqrt() * seen - (1 - alpha_bar).sqrt() * v, x0, rtol=0, atol=1e-5)


def test_only_a_clip_whose_sentence_says_what_it_denies_is_contradicted_and_only_where_there_is_doubt():
    first, second = sample_scene(0, things=2).things
    first, second = replace(first, colour="red", shape="circle"), replace(second, colour="blue", shape="star")
    scene = Scene((first, second), "gray")
    shapes = Scene((replace(first, shape="star"), replace(second, shape="circle")), "gray")
    colours = Scene((replace(first, colour="blue"), replace(second, colour="red")), "gray")
    told = canonical(scene)

    def share(other, prompt, t):
        scenes, others, prompts = [scene] * 1000, [other] * 1000, [prompt] * 1000
        t = torch.full((1000,), t)
        return float(contradicted(scenes, others, prompts, t, np.random.default_rng(0)).float().mean())

    for other in (shapes, colours):
        start = FROM[denied(scene, other)]
        assert share(other, told, start) == pytest.approx(SHARE, abs=0.05)
        assert share(other, told, UNTIL - 1) == pytest.approx(SHARE, abs=0.05)
        assert share(other, told, start - 1) == share(other, told, UNTIL) == 0
        for missing in (told.replace("star", "thing"), told.replace("red", "").replace("blue", ""), ""):
            assert share(other, missing, 800) == 0
    unmoved, one_colour = canonical(scene, still_frame=True), told.replace("red", "")
    assert share(shapes, unmoved, 800) > 0.4 and share(shapes, one_colour, 800) > 0.4
    assert share(colours, unmoved, 800) == share(colours, one_colour, 800) == 0
