"""Every option of the pipeline's call means the same with the twins in: random weights, to the last bit."""

import numpy as np
import pytest
import torch
from diffusers import CogVideoXImageToVideoPipeline, CogVideoXVideoToVideoPipeline

import cogkit
from cogkit.transformer.transformer import ExpertTransformer
from cogkit.vae.autoencoder import CausalVAE

PROMPT = "a red circle moving right"
SMALL = dict(num_frames=9, height=32, width=32, num_inference_steps=4, max_sequence_length=16, output_type="pt")
EMBEDS = {"prompt": None, "prompt_embeds": torch.randn(1, 16, 32, generator=torch.Generator().manual_seed(1))}
EMBEDS["negative_prompt_embeds"] = torch.randn(1, 16, 32, generator=torch.Generator().manual_seed(2))
LATENTS = torch.randn(1, 3, 16, 4, 4, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def pipe(tiny_pipe):
    pipe = tiny_pipe()
    pipe.set_progress_bar_config(disable=True)
    return pipe


def call(pipe, seed=0, **options):
    generators = [torch.Generator().manual_seed(each) for each in seed] if isinstance(seed, tuple) else None
    generators = generators or torch.Generator().manual_seed(seed)
    made = pipe(**{"prompt": PROMPT, "generator": generators} | SMALL | options)
    frames = made[0] if isinstance(made, tuple) else made.frames
    if options.get("output_type") == "pil":
        return np.stack([np.asarray(frame) for frame in frames[0]])
    return np.asarray(frames)


def swapped(pipe, **options):
    with cogkit.swap(pipe, as_released=True):
        assert isinstance(pipe.vae, CausalVAE) and isinstance(pipe.transformer, ExpertTransformer)
        return call(pipe, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"negative_prompt": "a blue square"},
        {"guidance_scale": 1.0},
        {"use_dynamic_cfg": True},
        {"num_videos_per_prompt": 2},
        {"eta": 0.5},  # which the released DDIM ignores
        {"latents": LATENTS},
        {"prompt": [PROMPT, "a star"], "seed": (4, 5)},
        {"num_frames": 1},
        {"num_frames": 5, "height": 48},
        EMBEDS,
        EMBEDS | {"num_videos_per_prompt": 2, "guidance_scale": 1.0},
        {"output_type": "latent"},
        {"output_type": "np"},
        {"output_type": "pil"},
        {"return_dict": False},
    ],
    ids=lambda options: ", ".join(options),
)
def test_an_option_means_the_same(pipe, options):
    stock = call(pipe, **options)
    assert np.array_equal(swapped(pipe, **options), stock)


@pytest.mark.parametrize("option", ["guidance_scale", "negative_prompt", "use_dynamic_cfg", "latents"])
def test_the_options_of_this_test_change_something(pipe, option):
    value = {"guidance_scale": 1.0, "negative_prompt": "a blue square", "latents": LATENTS}
    assert not np.array_equal(call(pipe, **{option: value.get(option, True)}), call(pipe))


def test_a_run_that_a_callback_interrupts_ends_where_the_stock_one_ends(pipe):
    def stop(pipe, step, timestep, tensors):
        pipe._interrupt = step == 1
        return tensors

    stock = call(pipe, callback_on_step_end=stop)
    assert np.array_equal(swapped(pipe, callback_on_step_end=stop), stock)
    assert not np.array_equal(stock, call(pipe))


def test_a_callback_may_change_the_sentence_between_two_steps(pipe):
    def forget(pipe, step, timestep, tensors):
        return {"prompt_embeds": tensors["prompt_embeds"] * (step < 2)}

    how = {"callback_on_step_end": forget, "callback_on_step_end_tensor_inputs": ["prompt_embeds"]}
    stock = call(pipe, **how)
    assert np.array_equal(swapped(pipe, **how), stock) and not np.array_equal(stock, call(pipe))


def test_other_pipelines_made_from_a_swapped_one_have_the_twins_in(pipe):
    with cogkit.swap(pipe):
        for kind in (CogVideoXVideoToVideoPipeline, CogVideoXImageToVideoPipeline):
            other = kind(**pipe.components)
            assert isinstance(other.vae, CausalVAE) and isinstance(other.transformer, ExpertTransformer)


def test_a_pipeline_that_is_called_twice_gives_the_same_twice(pipe):
    with cogkit.swap(pipe, as_released=True):
        assert np.array_equal(call(pipe), call(pipe))


def test_fused_projections_change_nothing(pipe):
    with cogkit.swap(pipe, as_released=True):
        before = call(pipe)
        pipe.fuse_qkv_projections()
        assert np.array_equal(call(pipe), before)
