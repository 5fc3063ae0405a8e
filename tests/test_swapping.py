"""A pipeline with the twins in makes the same video, and everything that worked on it still works."""

import json
from pathlib import Path

import accelerate
import numpy as np
import pytest
import torch
from diffusers import CogVideoXDPMScheduler, CogVideoXPipeline, DDPMScheduler
from diffusers.models.attention_processor import CogVideoXAttnProcessor2_0
from peft import LoraConfig

import cogkit
from cogkit.checkpoints import DATA
from cogkit.sampler.schedulers import DDIM, DPM
from cogkit.swapping import SwapError
from cogkit.transformer.transformer import ExpertTransformer
from cogkit.twin import ConfigError
from cogkit.vae.autoencoder import CausalVAE

PROMPT = "a red circle moving right on a gray background"
SMALL = {"num_frames": 9, "height": 64, "width": 64, "num_inference_steps": 4}


@pytest.fixture
def pipe():
    """A pipeline of its own for every test: a swap that left traces would spoil the others'."""
    pipe = cogkit.load("nano", dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def frames(pipe, seed=0, **how):
    how = SMALL | how
    return pipe(PROMPT, generator=torch.Generator().manual_seed(seed), output_type="np", **how).frames[0]


@pytest.fixture(scope="module")
def stock_frames(nano):
    return frames(nano)


def as_bytes(video):
    return np.round(video * 255).astype(np.uint8)


def same(swapped, stock):
    """Within the 1e-5 that all twins keep in fp32; and the same bytes, but for at most 1 in 20,000, off by one level.

    The latents are bit-equal. The decoder adds up in another order: in convolutions (oneDNN's direct kernel; weights
    that meet the same pixel first, when upsampling) and in norms (statistics in bands, one scale and one shift). Where
    a value lies halfway between two levels, its last digits decide.
    """
    assert swapped.shape == stock.shape and np.abs(swapped - stock).max() < 1e-5
    levels = np.abs(as_bytes(swapped).astype(int) - as_bytes(stock))
    return levels.max() <= 1 and levels.mean() <= 1 / 20_000


def weights(model):
    return {parameter.data_ptr() for parameter in model.parameters()}


def test_the_swapped_pipeline_makes_the_same_frames(pipe, stock_frames):
    with cogkit.swap(pipe):
        assert same(frames(pipe), stock_frames)


def test_as_released_it_makes_them_to_the_last_bit(pipe, stock_frames):
    with cogkit.swap(pipe, as_released=True):
        assert (frames(pipe) == stock_frames).all()


def test_at_its_default_size_it_makes_the_same_frames(pipe):
    size = {"num_frames": None, "height": None, "width": None, "num_inference_steps": 4}
    stock = frames(pipe, **size)
    with cogkit.swap(pipe):
        swapped = frames(pipe, **size)
    assert swapped.shape == (17, 128, 128, 3) and same(swapped, stock)


@pytest.mark.parametrize("one", ["vae", "transformer", "scheduler"])
def test_each_twin_may_go_in_alone(pipe, stock_frames, one):
    chosen = dict.fromkeys(["vae", "transformer", "scheduler"], False) | {one: True}
    with cogkit.swap(pipe, **chosen, as_released=True):
        assert [type(part) in (CausalVAE, ExpertTransformer, DDIM) for part in (pipe.vae, pipe.transformer)] == [
            one == "vae",
            one == "transformer",
        ]
        assert isinstance(pipe.scheduler, DDIM) == (one == "scheduler")
        assert (frames(pipe) == stock_frames).all()


def test_the_stochastic_sampler_makes_the_same_frames(pipe):
    pipe.scheduler = CogVideoXDPMScheduler.from_config(pipe.scheduler.config)
    stock = frames(pipe)
    with cogkit.swap(pipe):
        assert isinstance(pipe.scheduler, DPM)
        assert same(frames(pipe), stock)


def test_bfloat16_and_a_batch_of_prompts_as_released_to_the_last_bit(pipe):
    pipe.to(torch.bfloat16)

    def two():
        generator = torch.Generator().manual_seed(1)
        return pipe([PROMPT, "a blue square"], generator=generator, output_type="np", **SMALL).frames

    stock = two()
    with cogkit.swap(pipe, as_released=True):
        assert (two() == stock).all()


def test_no_weight_exists_twice(pipe):
    before = weights(pipe.vae) | weights(pipe.transformer)
    with cogkit.swap(pipe):
        assert isinstance(pipe.vae, CausalVAE) and isinstance(pipe.transformer, ExpertTransformer)
        assert weights(pipe.vae) | weights(pipe.transformer) == before
    assert weights(pipe.vae) | weights(pipe.transformer) == before


def test_a_plain_call_stays_until_undone_and_undoing_twice_does_nothing(pipe):
    parts = dict(pipe.components)
    done = cogkit.swap(pipe)
    assert all(pipe.components[name] is not parts[name] for name in ("vae", "transformer", "scheduler"))
    for _ in range(2):
        done.undo()
        assert all(pipe.components[name] is parts[name] for name in parts)


def test_the_twins_are_out_after_a_crash(pipe, stock_frames):
    parts, config = dict(pipe.components), dict(pipe.config)
    with pytest.raises(KeyboardInterrupt), cogkit.swap(pipe):
        raise KeyboardInterrupt
    assert all(pipe.components[name] is parts[name] for name in parts) and dict(pipe.config) == config
    assert (frames(pipe) == stock_frames).all()


def test_a_swap_that_fails_halfway_leaves_the_pipeline_as_it_was(pipe):
    pipe.scheduler = DDPMScheduler()
    parts = dict(pipe.components)
    with pytest.raises(
        SwapError, match="DDPMScheduler, not a .* or .*, and has no twin; leave it with scheduler=False"
    ):
        cogkit.swap(pipe)
    assert all(pipe.components[name] is parts[name] for name in parts)


def test_a_part_that_was_replaced_meanwhile_is_left_alone(pipe):
    done = cogkit.swap(pipe)
    mine = pipe.scheduler = CogVideoXDPMScheduler.from_config(pipe.scheduler.config)
    done.undo()
    assert pipe.scheduler is mine and not isinstance(pipe.vae, CausalVAE)


def test_moving_and_training_the_twin_moves_and_trains_the_stock_module(pipe):
    with cogkit.swap(pipe):
        pipe.to(torch.bfloat16)
        with torch.no_grad():
            pipe.transformer.proj_out.weight.fill_(0.5)
        pipe.vae.train()
    assert (
        {p.dtype for p in pipe.transformer.parameters()} == {torch.bfloat16} == {p.dtype for p in pipe.vae.parameters()}
    )
    assert (pipe.transformer.proj_out.weight == 0.5).all() and pipe.vae.training


@pytest.mark.parametrize("kind", ["model", "sequential"])
@pytest.mark.parametrize("order", ["offload first", "swap first"])
def test_offloading_goes_on_working(pipe, stock_frames, kind, order):
    """accelerate's hooks, which here offload from the CPU to the CPU: the mechanics are the same."""

    def offload():
        if kind == "model":
            return pipe.enable_model_cpu_offload(device="cpu")
        for model in (pipe.vae, pipe.transformer):  # pipe.enable_sequential_cpu_offload says "cpu:0", which fails
            accelerate.cpu_offload(model, torch.device("cpu"))

    if order == "offload first":
        offload()
    done = cogkit.swap(pipe, as_released=True)
    if order == "swap first":
        offload()
    for model in (pipe.vae, pipe.transformer):
        assert any(hasattr(module, "_hf_hook") for module in model.modules())
        assert any(p.is_meta for p in model.parameters()) == (kind == "sequential")
    for _ in range(2):
        assert (frames(pipe) == stock_frames).all()
    done.undo()
    assert any(hasattr(module, "_hf_hook") for module in pipe.vae.modules())
    assert (frames(pipe) == stock_frames).all()
    pipe.remove_all_hooks()
    assert not any(p.is_meta for part in (pipe.vae, pipe.transformer) for p in part.parameters())


def test_every_layer_with_weights_is_called_as_a_module_so_that_hooks_find_their_place(pipe):
    """As accelerate needs it, which brings the weights in a hook."""
    stock = pipe.vae.decode(torch.ones(1, 16, 3, 4, 4)).sample
    with cogkit.swap(pipe, transformer=False, scheduler=False):
        layers = {name: layer for name, layer in pipe.vae.decoder.named_modules() if layer._parameters}
        called = set()
        hooks = [layer.register_forward_hook(lambda *_, name=name: called.add(name)) for name, layer in layers.items()]
        pipe.vae.decode(torch.ones(1, 16, 3, 4, 4))
        for hook in hooks:
            hook.remove()
        accelerate.cpu_offload(pipe.vae, torch.device("cpu"))
        offloaded = pipe.vae.decode(torch.ones(1, 16, 3, 4, 4)).sample
    accelerate.hooks.remove_hook_from_module(pipe.vae, recurse=True)
    assert called == set(layers)
    torch.testing.assert_close(offloaded, stock, rtol=0, atol=1e-5)


@pytest.mark.parametrize("order", ["tiling first", "swap first"])
def test_tiling_and_slicing_go_on_working(pipe, stock_frames, order):
    def switch():
        pipe.vae.enable_tiling(tile_sample_min_height=48, tile_sample_min_width=40)
        pipe.vae.enable_slicing()

    if order == "tiling first":
        switch()
        stock = frames(pipe)
    done = cogkit.swap(pipe, as_released=True)
    if order == "swap first":
        switch()
    swapped = frames(pipe)
    done.undo()
    assert pipe.vae.use_tiling and pipe.vae.use_slicing and pipe.vae.tile_latent_min_width == 5
    assert (swapped == frames(pipe)).all() and (order == "swap first" or (swapped == stock).all())
    assert not (swapped == stock_frames).all()


@pytest.fixture(scope="module")
def lora(tmp_path_factory):
    """A folder with LoRA weights that change the video, made on a stock pipeline."""
    pipe = cogkit.load("nano", dtype=torch.float32)
    torch.manual_seed(0)
    layers = ["to_q", "to_k", "to_v", "to_out.0"]
    pipe.transformer.add_adapter(LoraConfig(r=2, lora_alpha=8, init_lora_weights=False, target_modules=layers))
    folder = tmp_path_factory.mktemp("lora")
    from peft.utils import get_peft_model_state_dict

    CogVideoXPipeline.save_lora_weights(folder, transformer_lora_layers=get_peft_model_state_dict(pipe.transformer))
    return folder


def test_lora_loads_into_the_twin_scales_and_unloads(pipe, lora, stock_frames):
    pipe.load_lora_weights(lora)
    stock, half = frames(pipe), frames(pipe, attention_kwargs={"scale": 0.5})
    pipe.unload_lora_weights()
    assert not (stock == stock_frames).all() and not (stock == half).all()
    with cogkit.swap(pipe, as_released=True):
        pipe.load_lora_weights(lora)
        assert (frames(pipe) == stock).all()
        assert (frames(pipe, attention_kwargs={"scale": 0.5}) == half).all()
        pipe.unload_lora_weights()
        assert (frames(pipe) == stock_frames).all()
    assert (frames(pipe) == stock_frames).all()


def test_lora_comes_along_into_the_swap_and_out_of_it(pipe, lora, stock_frames):
    pipe.load_lora_weights(lora)
    stock = frames(pipe)
    with cogkit.swap(pipe, as_released=True):
        assert (frames(pipe) == stock).all()
        pipe.unload_lora_weights()
        assert (frames(pipe) == stock_frames).all()
    assert (frames(pipe) == stock_frames).all()
    with cogkit.swap(pipe, as_released=True):
        pipe.load_lora_weights(lora)
    assert (frames(pipe) == stock).all()
    pipe.unload_lora_weights()
    assert (frames(pipe) == stock_frames).all()


def test_callbacks_see_and_change_the_latents_of_every_step(pipe):
    def run():
        seen = []

        def callback(pipeline, step, train_timestep, held):
            seen.append((step, int(train_timestep), held["latents"].clone()))
            return {"latents": held["latents"] * 0.9}

        return frames(pipe, callback_on_step_end=callback), seen

    stock, stock_seen = run()
    with cogkit.swap(pipe, as_released=True):
        swapped, seen = run()
    assert (swapped == stock).all() and len(seen) == 4
    assert all(a[:2] == b[:2] and torch.equal(a[2], b[2]) for a, b in zip(seen, stock_seen, strict=True))


def test_a_swapped_pipeline_saves_as_an_ordinary_one(pipe, stock_frames, tmp_path):
    pipe.save_pretrained(tmp_path / "stock")
    with cogkit.swap(pipe):
        pipe.save_pretrained(tmp_path / "swapped")
    for path in Path(tmp_path / "stock").rglob("*"):
        if path.is_file():
            twin = (tmp_path / "swapped" / path.relative_to(tmp_path / "stock")).read_bytes()
            if path.suffix == ".json" and "_name_or_path" in path.read_text():
                ours, theirs = json.loads(twin), json.loads(path.read_text())
                assert ours | {"_name_or_path": 0} == theirs | {"_name_or_path": 0}, path.name
            else:
                assert twin == path.read_bytes(), path.name
    again = CogVideoXPipeline.from_pretrained(tmp_path / "swapped", dtype=torch.float32)
    again.set_progress_bar_config(disable=True)
    assert (frames(again) == stock_frames).all()
    assert type(again.vae).__module__.startswith("diffusers.")


def test_recording_works_on_a_swapped_pipeline(pipe):
    with cogkit.swap(pipe), cogkit.record(pipe, cogkit.trajectory()) as rec:
        frames(pipe)
    assert dict(rec.run["trajectory"].sizes) == {"step": 4, "latent_frame": 3, "channel": 16, "y": 8, "x": 8}


def test_only_a_swapped_pipeline_gives_back_five_frames(pipe):
    """The latents of 5 frames come back as 8 from the stock VAE."""
    assert len(frames(pipe, num_frames=5)) == 8
    with cogkit.swap(pipe):
        assert len(frames(pipe, num_frames=5)) == 5


def test_a_processor_of_ones_own_is_refused_before_the_swap_and_after_it(pipe):
    class Mine(CogVideoXAttnProcessor2_0):
        pass

    with cogkit.swap(pipe):
        with pytest.raises(ConfigError, match="would not ask a processor; use it on the original"):
            pipe.transformer.set_attn_processor(Mine())
        pipe.fuse_qkv_projections()
    pipe.transformer.set_attn_processor(Mine())
    with pytest.raises(SwapError, match="attends by Mine, .*transformer=False"):
        cogkit.swap(pipe)


def test_swapping_twice_is_refused(pipe):
    with cogkit.swap(pipe, vae=False):
        with pytest.raises(SwapError, match="the transformer is a twin already; undo that swap first"):
            cogkit.swap(pipe)
        with cogkit.swap(pipe, transformer=False, scheduler=False):
            assert isinstance(pipe.vae, CausalVAE)


def test_a_part_of_another_kind_is_refused_and_may_be_left_out(pipe):
    pipe.vae = torch.nn.Identity()
    with pytest.raises(SwapError, match="the vae is a Identity, not a AutoencoderKLCogVideoX.*leave it with vae=False"):
        cogkit.swap(pipe)
    with cogkit.swap(pipe, vae=False):
        assert isinstance(pipe.transformer, ExpertTransformer)


def test_group_offloading_must_wait_until_after_the_swap(pipe):
    pipe.transformer.enable_group_offload(onload_device=torch.device("cpu"), offload_type="leaf_level")
    with pytest.raises(SwapError, match="enable them after the swap"):
        cogkit.swap(pipe)


def test_the_shipped_checkpoint_was_not_touched():
    assert json.loads((DATA / "nano" / "model_index.json").read_text())["vae"] == [
        "diffusers",
        "AutoencoderKLCogVideoX",
    ]
