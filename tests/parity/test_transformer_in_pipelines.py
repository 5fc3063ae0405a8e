"""The twin in the place of `pipe.transformer` in stock pipelines, with the shipped weights and with random ones."""

import pytest
import torch
from diffusers import CogVideoXImageToVideoPipeline, CogVideoXPipeline, CogVideoXTransformer3DModel
from PIL import Image

from cogkit.transformer.released import RELEASED
from cogkit.transformer.transformer import ExpertTransformer

PROMPT = "a red circle moving right on a gray background"
SMALL = dict(
    num_attention_heads=2,
    attention_head_dim=16,
    text_embed_dim=128,
    time_embed_dim=8,
    num_layers=2,
    sample_width=8,
    sample_height=8,
    sample_frames=9,
)


def run(pipe, transformer, prompt=PROMPT, frames=9, size=64, steps=2, **call):
    """Latents after a few steps. The pipeline that comes back to the next test is the one that came in."""
    before, pipe.transformer = pipe.transformer, transformer
    try:
        return pipe(
            prompt=prompt,
            height=size,
            width=size,
            num_frames=frames,
            num_inference_steps=steps,
            generator=torch.Generator().manual_seed(0),
            output_type=call.pop("output_type", "latent"),
            **call,
        ).frames
    finally:
        pipe.transformer = before


@pytest.mark.parametrize(("frames", "size"), [(17, 128), (9, 64)])
def test_the_shipped_model_gives_the_same_latents_to_the_last_bit(nano, frames, size):
    twin = ExpertTransformer.from_stock(nano.transformer)
    wanted = run(nano, nano.transformer, frames=frames, size=size)
    assert torch.equal(run(nano, twin, frames=frames, size=size), wanted)


def test_the_shipped_model_gives_the_same_frames(nano):
    twin = ExpertTransformer.from_stock(nano.transformer)
    ours, theirs = (run(nano, model, output_type="np") for model in (twin, nano.transformer))
    assert (ours == theirs).all()


def test_the_callback_between_steps_may_change_the_latents(nano):
    def halve(_pipe, _step, _t, held):
        return {"latents": held["latents"] / 2}

    twin = ExpertTransformer.from_stock(nano.transformer)
    changed = run(nano, twin, callback_on_step_end=halve)
    assert torch.equal(changed, run(nano, nano.transformer, callback_on_step_end=halve))
    assert not torch.equal(changed, run(nano, twin))


@pytest.mark.parametrize("variant", RELEASED)
def test_every_variant_runs_in_its_own_pipeline(nano, variant):
    torch.manual_seed(0)
    changes = SMALL | ({"ofs_embed_dim": 8} if "ofs_embed_dim" in RELEASED[variant] else {})
    stock = CogVideoXTransformer3DModel(**RELEASED[variant] | changes).eval()
    twin = ExpertTransformer.from_stock(stock)
    parts = {name: getattr(nano, name) for name in ("tokenizer", "text_encoder", "vae", "scheduler")}
    more = {}
    if "I2V" in variant:
        pipe = CogVideoXImageToVideoPipeline(transformer=stock, **parts)
        more = {"image": Image.effect_noise((64, 64), 80).convert("RGB")}
    else:
        pipe = CogVideoXPipeline(transformer=stock, **parts)
    pipe.set_progress_bar_config(disable=True)
    wanted = run(pipe, stock, **more)
    assert wanted.isfinite().all() and torch.equal(run(pipe, twin, **more), wanted)


def test_a_pipeline_with_a_twin_in_it_saves_a_folder_that_stock_diffusers_loads(nano, tmp_path):
    twin = ExpertTransformer.from_stock(nano.transformer)
    parts = {name: part for name, part in nano.components.items() if name != "transformer"}
    pipe = CogVideoXPipeline(transformer=twin, **parts)
    pipe.register_to_config(transformer=("diffusers", "CogVideoXTransformer3DModel"))  # for its model_index.json
    pipe.save_pretrained(tmp_path)
    again = CogVideoXPipeline.from_pretrained(tmp_path, dtype=torch.float32)
    again.set_progress_bar_config(disable=True)
    assert type(again.transformer) is CogVideoXTransformer3DModel
    assert torch.equal(run(again, again.transformer), run(nano, nano.transformer))


def test_the_hooks_for_lora_are_there(nano):
    """peft itself is optional; what it needs of a model is that the layers that it wraps are the model's own."""
    twin = ExpertTransformer.from_stock(nano.transformer)
    assert callable(twin.load_lora_adapter) and callable(twin.set_adapters) and callable(twin.delete_adapters)
    wanted = run(nano, twin, attention_kwargs={"scale": 1.0})
    assert torch.equal(run(nano, nano.transformer, attention_kwargs={"scale": 1.0}), wanted)
