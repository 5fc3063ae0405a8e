"""What all twins have in common with the classes they stand in for: weights, config, switches, what they refuse."""

import json

import pytest
from diffusers import AutoencoderKLCogVideoX, CogVideoXPipeline, CogVideoXTransformer3DModel
from diffusers import PyramidAttentionBroadcastConfig as Cache
from torch.nn.utils.parametrizations import weight_norm

import cogkit
from cogkit.transformer.transformer import ExpertTransformer
from cogkit.twin import ConfigError
from cogkit.vae.autoencoder import CausalVAE

VAE = dict(block_out_channels=(8, 8, 8, 8), layers_per_block=1, norm_num_groups=2)
TRANSFORMER = dict(num_attention_heads=1, attention_head_dim=16, num_layers=1, time_embed_dim=4, text_embed_dim=8)
KINDS = {
    "vae": (lambda: AutoencoderKLCogVideoX(**VAE), CausalVAE),
    "transformer": (lambda: CogVideoXTransformer3DModel(**TRANSFORMER), ExpertTransformer),
}


@pytest.fixture(params=KINDS)
def kind(request):
    """(a stock model, the class of its twin)"""
    build, twin_class = KINDS[request.param]
    return build(), twin_class


def test_it_has_no_weights_of_its_own_and_torchs_layers_are_the_very_same_objects(kind):
    stock, twin_class = kind
    twin, theirs = twin_class.from_stock(stock), dict(stock.named_modules())
    for path, layer in twin.named_modules():
        if layer._parameters or layer._buffers:
            of_torch = type(layer).__module__.startswith("torch.")
            assert not of_torch or layer is theirs[path], path
            for name, tensor in {**layer._parameters, **layer._buffers}.items():
                assert tensor is getattr(theirs[path], name), f"{path}.{name}"


def test_weights_that_the_config_does_not_speak_of_are_refused_by_their_path():
    stock = AutoencoderKLCogVideoX(**VAE)
    weight_norm(stock.decoder.conv_out.conv)  # keeps its weight as a length and a direction
    with pytest.raises(ConfigError, match=r"decoder\.conv_out\.conv has \['bias'\], not \['bias', 'weight'\]"):
        CausalVAE.from_stock(stock)


@pytest.mark.parametrize("training", [True, False])
def test_switches_come_along(training):
    stock = AutoencoderKLCogVideoX(**VAE).train(training)
    stock.enable_tiling(48, 40, 0.5, 0.25)
    stock.enable_slicing()
    stock.num_latent_frames_batch_size = 4
    twin = CausalVAE.from_stock(stock)
    assert twin.training == training and twin.use_tiling and twin.use_slicing
    assert (twin.tile_latent_min_height, twin.tile_latent_min_width) == (6, 5)
    assert (twin.tile_overlap_factor_height, twin.num_latent_frames_batch_size) == (0.5, 4)
    assert not twin.as_released and CausalVAE.from_stock(stock, as_released=True).as_released


def test_its_config_is_that_of_the_stock_class_and_so_is_the_name_under_which_it_is_saved(kind):
    stock, twin_class = kind
    twin = twin_class.from_stock(stock)
    twin.as_released = True  # a switch, which no checkpoint knows
    assert dict(twin.config) == dict(stock.config)
    assert json.loads(twin.to_json_string()) == json.loads(stock.to_json_string())


def test_what_was_registered_after_the_models_were_made_goes_along(tiny_pipe, tmp_path):
    """diffusers' from_config would take such a value back to its default, and a saved twin would lose it."""
    pipe = tiny_pipe()
    changes = {
        "vae": {"scaling_factor": 0.5},
        "transformer": {"temporal_compression_ratio": 2},
        "scheduler": {"beta_end": 0.02},
    }
    for name, change in changes.items():
        getattr(pipe, name).register_to_config(**change)
    with cogkit.swap(pipe):
        pipe.save_pretrained(tmp_path)
        twins = {name: dict(getattr(pipe, name).config) for name in changes}
        assert pipe.transformer.patch_embed.latent_frames == 5
    again = CogVideoXPipeline.from_pretrained(tmp_path)
    for name, change in changes.items():
        assert change.items() <= twins[name].items() and change.items() <= dict(getattr(again, name).config).items()


def test_gradient_checkpointing_is_not_lost_in_silence(kind):
    stock, twin_class = kind
    stock.enable_gradient_checkpointing()
    with pytest.raises(ConfigError, match="call disable_gradient_checkpointing"):
        twin_class.from_stock(stock)
    assert stock.is_gradient_checkpointing


def test_caches_that_would_find_nothing_to_hold_on_to_are_refused(kind):
    stock, twin_class = kind
    with pytest.raises(ConfigError, match="look for diffusers' own classes .* original"):
        twin_class.from_stock(stock).enable_cache(Cache(spatial_attention_block_skip_range=2))
