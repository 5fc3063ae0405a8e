import pytest
import torch

from cogkit.transformer.patchify import PatchError
from cogkit.transformer.rope import rotary_embedding
from cogkit.transformer.transformer import ConfigError, ExpertTransformer

TINY = dict(
    num_attention_heads=2,
    attention_head_dim=16,
    in_channels=4,
    out_channels=4,
    time_embed_dim=8,
    text_embed_dim=12,
    num_layers=2,
    sample_width=6,
    sample_height=4,
    sample_frames=9,
    max_text_seq_length=5,
)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return ExpertTransformer(**TINY).eval()


def inputs(batch=2, t=3, h=4, w=6):
    return torch.randn(batch, t, 4, h, w), torch.randn(batch, 5, 12)


@torch.no_grad()
def test_v_has_the_shape_of_the_latents(model):
    latents, text = inputs()
    assert model(latents, text, 7).sample.shape == latents.shape


@torch.no_grad()
def test_one_timestep_serves_all_clips_and_may_be_a_plain_number(model):
    latents, text = inputs()
    one_each = model(latents, text, torch.tensor([7, 7])).sample
    for timestep in (7, 7.0, torch.tensor(7), torch.tensor([7])):
        torch.testing.assert_close(model(latents, text, timestep).sample, one_each)
    assert not torch.equal(model(latents, text, 8).sample, one_each)


@torch.no_grad()
def test_clips_of_a_batch_do_not_see_each_other(model):
    latents, text = inputs()
    timesteps = torch.tensor([7, 900])
    together = model(latents, text, timesteps).sample
    for k in range(2):
        alone = model(latents[k : k + 1], text[k : k + 1], timesteps[k : k + 1]).sample
        torch.testing.assert_close(together[k : k + 1], alone)


@torch.no_grad()
def test_text_drives_the_video(model):
    latents, text = inputs()
    assert (model(latents, text, 7).sample != model(latents, -text, 7).sample).any()


@torch.no_grad()
def test_the_number_ofs_is_a_second_timestep_and_is_two_unless_said():
    model = ExpertTransformer(**TINY | {"ofs_embed_dim": 8}).eval()
    latents, text = inputs()
    assert torch.equal(model(latents, text, 7).sample, model(latents, text, 7, ofs=torch.tensor([2.0])).sample)
    assert (model(latents, text, 7).sample != model(latents, text, 7, ofs=1.0).sample).any()


@torch.no_grad()
def test_without_rotary_embedding_nothing_is_rotated():
    model = ExpertTransformer(**TINY | {"use_rotary_positional_embeddings": True}).eval()
    latents, text = inputs()
    rotary = rotary_embedding(model.config, 3, 4, 6)
    still = tuple(torch.full_like(part, value) for part, value in zip(rotary, (1.0, 0.0), strict=True))
    bare = model(latents, text, 7).sample
    assert torch.equal(bare, model(latents, text, 7, image_rotary_emb=still).sample)
    assert (bare != model(latents, text, 7, image_rotary_emb=rotary).sample).any()


def test_a_size_that_cuts_a_patch_is_refused_and_the_reference_loses_the_last_row(model):
    latents, text = inputs(h=5)
    with pytest.raises(PatchError, match="axis h=5 .* crop it to 4 or pad it to 6"):
        model(latents, text, 7)
    model.as_released = True
    assert model(latents, text, 7).sample.shape == (2, 3, 4, 4, 6)


def test_what_no_cogvideox_has_is_refused(model):
    with pytest.raises(ConfigError, match="activation_fn='geglu'.*use these, or diffusers' class"):
        ExpertTransformer(**TINY | {"activation_fn": "geglu"})
    with pytest.raises(ConfigError, match="set use_rotary_positional_embeddings=True"):
        ExpertTransformer(**TINY | {"use_learned_positional_embeddings": True})
    with pytest.raises(ConfigError, match="timestep_cond has no weights"):
        model(*inputs(), 7, timestep_cond=torch.zeros(2, 8))
    with pytest.raises(ValueError, match="does not support gradient checkpointing"):
        model.enable_gradient_checkpointing()


def test_the_switch_is_not_part_of_the_config(model):
    model.as_released = True
    assert "as_released" not in model.config
