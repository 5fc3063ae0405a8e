import ast
from pathlib import Path

import pytest
import torch

from cogkit.sampler.ddim import ddim
from cogkit.sampler.dpm import dpm
from cogkit.sampler.guidance import constant, dynamic
from cogkit.sampler.loop import DenoiseError, fresh_noise
from cogkit.sampler.prediction import add_noise
from cogkit.sampler.schedule import cogvideox, spaced_timesteps

NOISE = torch.randn(1, 2, 3, 4, 4, generator=torch.Generator().manual_seed(0))


def network(latents, train_timestep):
    return 0.5 * latents + train_timestep / 1000


def pair(latents, train_timestep):
    return latents - 1, latents + 1


@pytest.mark.parametrize("generate", [ddim, dpm])
def test_a_step_knows_all_about_itself(generate):
    steps = list(generate(pair, NOISE, cogvideox(3.0), spaced_timesteps(7), guidance=constant(6)))
    assert [s.step for s in steps] == list(range(7))
    assert [s.train_timestep for s in steps] == spaced_timesteps(7)
    assert [s.next_timestep for s in steps] == [*spaced_timesteps(7)[1:], -1]
    for now, then in zip(steps, steps[1:], strict=False):
        assert then.latents is now.next_latents and then.alpha_bar == now.next_alpha_bar
    for s in steps:
        torch.testing.assert_close(s.v, s.v_uncond + 6 * (s.v_text - s.v_uncond))
        again = add_noise(s.x0, s.noise, torch.tensor(s.alpha_bar))
        torch.testing.assert_close(again, s.latents, atol=1e-5, rtol=1e-5)
        assert s.guidance == 6.0
    assert steps[0].alpha_bar == 0 and steps[-1].next_alpha_bar == 1


@pytest.mark.parametrize("generate", [ddim, dpm])
@pytest.mark.parametrize("steps", [1, 7, 30, 60, 61])
def test_the_last_latents_are_the_last_x0_for_every_number_of_steps(generate, steps):
    *_, last = generate(network, NOISE, cogvideox(), spaced_timesteps(steps))
    torch.testing.assert_close(last.next_latents, last.x0, atol=0, rtol=0)


@pytest.mark.parametrize("generate", [ddim, dpm])
def test_as_released_seven_steps_leave_noise_in_the_video(generate):
    *_, last = generate(network, NOISE, cogvideox(), spaced_timesteps(7), as_released=True)
    assert last.next_alpha_bar < 1 and not torch.equal(last.next_latents, last.x0)


def test_as_released_the_62nd_of_61_steps_replaces_the_video_by_minus_v():
    *_, last = ddim(network, NOISE, cogvideox(), spaced_timesteps(61, as_released=True), as_released=True)
    assert last.train_timestep == -1 and torch.equal(last.next_latents, -last.v)


def test_guidance_may_change_from_step_to_step():
    steps = list(ddim(pair, NOISE, cogvideox(), spaced_timesteps(5), guidance=dynamic(6.0)))
    assert steps[0].guidance == 1 and steps[4].guidance > steps[3].guidance > 1


def test_the_caller_may_stop_and_the_network_is_asked_no_more():
    asked = []
    for step in ddim(lambda latents, t: asked.append(t) or latents, NOISE, cogvideox(), spaced_timesteps(50)):
        if step.step == 2:
            break
    assert asked == [999, 979, 959]


@pytest.mark.parametrize(("denoise", "guidance"), [(network, constant(6)), (pair, None)])
def test_an_answer_that_does_not_fit_the_guidance_is_refused(denoise, guidance):
    with pytest.raises(DenoiseError, match="there is (a|no) guidance; a pair .* needs a guidance, one v guidance=None"):
        next(ddim(denoise, NOISE, cogvideox(), spaced_timesteps(5), guidance=guidance))


def test_the_same_seed_draws_the_same_noise_as_diffusers():
    from diffusers.utils.torch_utils import randn_tensor

    ours, theirs = fresh_noise(NOISE, torch.manual_seed(3)), randn_tensor(NOISE.shape, torch.manual_seed(3))
    assert torch.equal(ours, theirs)


def test_the_sampler_does_not_know_the_network():
    harmless = ("cogkit.shapes", "cogkit.twin")
    for path in (Path(__file__).parents[2] / "cogkit" / "sampler").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cogkit"):
                assert node.module.startswith("cogkit.sampler") or node.module in harmless, path.name
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("diffusers"):
                assert path.name == "schedulers.py"
