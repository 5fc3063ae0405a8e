import numpy as np
import torch

from cogkit.training.contradiction import FROM, UNTIL, answer, contradicted, reshaped
from cogkit.training.diffusion import add_noise, new_scheduler
from cogkit.world.captions import canonical
from cogkit.world.paint import nearest_name, rgb
from cogkit.world.scene import sample_scene
from cogkit.world.vocabulary import HELD_OUT_PAIRS

ALPHA_BARS = new_scheduler().alphas_cumprod


def test_a_reshaped_scene_differs_in_its_shapes_alone_and_shows_no_held_out_pair():
    for seed in range(300):
        scene = sample_scene(seed, painted=0.5)
        other = reshaped(scene, seed)
        assert other.background == scene.background
        for was, now in zip(scene.things, other.things, strict=True):
            assert was.shape != now.shape and {**vars(was), "shape": 0} == {**vars(now), "shape": 0}
            assert (nearest_name(rgb(now.colour)), now.shape) not in HELD_OUT_PAIRS


def test_where_the_clip_is_right_the_answer_is_the_usual_v():
    x0, noise = torch.randn(2, 4, 1, 16, 2, 2)
    t = torch.tensor([400, 600, 800, 949])
    usual = add_noise(x0, noise, t, ALPHA_BARS)
    torch.testing.assert_close(answer(usual.latents, x0, t, ALPHA_BARS).v, usual.v, rtol=0, atol=1e-5)


def test_where_the_clip_lies_the_answer_leads_to_the_scene_of_the_sentence():
    x0, lie, noise = torch.randn(3, 4, 1, 16, 2, 2)
    t = torch.tensor([400, 600, 800, 949])
    seen, v = answer(add_noise(lie, noise, t, ALPHA_BARS).latents, x0, t, ALPHA_BARS)
    alpha_bar = ALPHA_BARS.float()[t].view(-1, 1, 1, 1, 1)
    torch.testing.assert_close(alpha_bar.sqrt() * seen - (1 - alpha_bar).sqrt() * v, x0, rtol=0, atol=1e-5)


def test_only_a_clip_whose_sentence_names_all_shapes_is_contradicted_and_only_where_there_is_doubt():
    scene = sample_scene(0, things=2)
    told, silent = canonical(scene), canonical(scene).replace(scene.things[1].shape, "thing")

    def share(prompt, t):
        scenes, prompts = [scene] * 1000, [prompt] * 1000
        return contradicted(scenes, prompts, torch.full((1000,), t), np.random.default_rng(0)).float().mean()

    assert 0.4 < share(told, FROM) < 0.6 and 0.4 < share(told, UNTIL - 1) < 0.6
    assert share(silent, 600) == share("", 600) == share(told, FROM - 1) == share(told, UNTIL) == 0
