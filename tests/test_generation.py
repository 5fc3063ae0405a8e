from dataclasses import replace

import numpy as np
import pytest
import torch

from cogkit.generation import Settings, SettingsError, check_settings, check_steps, decode, generate
from cogkit.sampler.guidance import dynamic

SHORT = Settings("a red circle moving right on a gray background", frames=9, height=64, width=64, steps=4, seed=3)


@pytest.fixture(scope="module")
def generation(nano):
    return generate(nano, SHORT)


def test_the_same_settings_give_the_same_video(nano, generation):
    assert (generate(nano, SHORT).frames == generation.frames).all()


def test_recording_does_not_change_the_video(nano, generation):
    stock = nano(
        SHORT.prompt,
        num_frames=9,
        height=64,
        width=64,
        num_inference_steps=4,
        guidance_scale=SHORT.guidance,
        generator=torch.Generator().manual_seed(3),
        output_type="np",
    ).frames[0]
    assert (np.round(stock * 255).astype(np.uint8) == generation.frames).mean() > 0.9999
    assert not nano.transformer._forward_hooks


def test_every_step_is_recorded_with_its_train_timestep(generation):
    dataset = generation.trajectory.dataset()
    assert dict(dataset.sizes) == {"step": 4, "latent_frame": 3, "channel": 16, "y": 8, "x": 8}
    assert dataset.train_timestep.values.tolist() == [999, 749, 499, 249]
    assert dataset.guidance.values.tolist() == [SHORT.guidance] * 4


def test_the_last_predicted_clean_latents_are_the_video(nano, generation):
    last = decode(nano, generation.trajectory.x0[-1])
    assert np.abs(last.astype(int) - generation.frames).max() <= 1


def test_recorded_latents_follow_the_step_rule_of_ddim(nano, generation):
    """x' = a x + b x0, with the scheduler's own numbers."""
    alpha_bar = nano.scheduler.alphas_cumprod
    held = generation.trajectory
    for k in range(3):
        now, then = (float(alpha_bar[held.train_timesteps[i]]) for i in (k, k + 1))
        a = ((1 - then) / (1 - now)) ** 0.5
        b = then**0.5 - now**0.5 * a
        torch.testing.assert_close(held.latents[k + 1], a * held.latents[k] + b * held.x0[k], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("steps", [1, 4, 20, 25, 50])
def test_step_counts_that_divide_1000_are_accepted(steps):
    check_steps(steps)


@pytest.mark.parametrize(("steps", "near"), [(30, "25 or 40"), (0, "1"), (7, "5 or 8"), (2000, "1000")])
def test_other_step_counts_are_refused_with_the_nearest_that_work(steps, near):
    with pytest.raises(SettingsError, match=f"steps={steps} does not divide 1000.*use {near}"):
        check_steps(steps)


@pytest.mark.parametrize(
    ("wrong", "message"), [({"seed": -1}, "seed=-1 is out of range"), ({"guidance": float("nan")}, "guidance=nan")]
)
def test_other_numbers_that_cannot_work_are_refused(nano, wrong, message):
    with pytest.raises(SettingsError, match=message):
        check_settings(nano, Settings("a red circle", **wrong))


def changed(**settings):
    return replace(SHORT, **settings)


def test_dynamic_guidance_rises_from_1_as_intended_and_waves_as_released(nano):
    intended = generate(nano, changed(dynamic_guidance="as intended")).trajectory
    released = generate(nano, changed(dynamic_guidance="as released")).trajectory
    for kept, as_released in ((intended, False), (released, True)):
        scale = dynamic(SHORT.guidance, as_released=as_released)
        wanted = [scale(step, 4, time) for step, time in enumerate(kept.train_timesteps)]
        assert kept.guidance == pytest.approx(wanted)
    assert intended.guidance[0] == 1 and intended.guidance == sorted(intended.guidance)
    assert released.guidance != pytest.approx(intended.guidance)


def test_the_sampler_is_chosen_and_the_pipelines_own_comes_back(nano, generation):
    own = nano.scheduler
    runs = {name: generate(nano, changed(sampler=name)) for name in ("ddim", "dpm")}
    assert nano.scheduler is own
    assert {name: run.run.notes["scheduler"] for name, run in runs.items()} == {
        "ddim": "CogVideoXDDIMScheduler",
        "dpm": "CogVideoXDPMScheduler",
    }
    assert (runs["ddim"].frames != runs["dpm"].frames).any()


def test_every_step_is_told_and_an_error_there_stops_the_run_and_leaves_nothing_behind(nano, generation):
    told = []
    generate(nano, SHORT, on_step=told.append)
    assert told == [0, 1, 2, 3]
    own = nano.scheduler

    def stop(step):
        told.append(step)
        if step == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(nano, changed(sampler="dpm", dynamic_guidance="as intended"), on_step=stop)
    assert told == [0, 1, 2, 3, 0, 1] and nano.scheduler is own
    assert not nano.transformer._forward_hooks and not nano.transformer._forward_pre_hooks
    assert (generate(nano, SHORT).frames == generation.frames).all()


@pytest.mark.parametrize("wrong", [{"sampler": "euler"}, {"dynamic_guidance": "on"}])
def test_unknown_samplers_and_guidances_are_refused_with_those_there_are(nano, wrong):
    with pytest.raises(SettingsError, match="is unknown; use one of"):
        check_settings(nano, changed(**wrong))
