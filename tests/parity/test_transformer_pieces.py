"""Each piece of cogkit.transformer gives the numbers of the diffusers symbol that its docstring names."""

import pytest
import torch
from diffusers.models import embeddings
from diffusers.models.attention import FeedForward as StockFeedForward
from diffusers.models.normalization import AdaLayerNorm, CogVideoXLayerNormZero
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXBlock
from diffusers.pipelines.cogvideo import pipeline_cogvideox

from cogkit.transformer.adaln import ExpertAdaLN, FinalAdaLN
from cogkit.transformer.block import ExpertBlock
from cogkit.transformer.feed_forward import FeedForward
from cogkit.transformer.rope import fit_and_centre, positions, rotary_table, rotate, turns
from cogkit.transformer.sincos import sincos_3d
from cogkit.transformer.timestep import TimestepEmbedding, sinusoid


def same_weights(ours, stock):
    ours.load_state_dict(stock.state_dict(), strict=True)
    stock.load_state_dict(ours.state_dict(), strict=True)
    return ours.eval(), stock.eval()


@pytest.mark.parametrize("head_dim", [16, 64])
@pytest.mark.parametrize("frames", [1, 3, 13])
@pytest.mark.parametrize("size", [(30, 45), (30, 53), (45, 30), (32, 32), (8, 8), (1, 7), (48, 85)])
def test_rope_tables_of_1_0_are_bit_equal(size, frames, head_dim):
    base = (30, 45)
    region = pipeline_cogvideox.get_resize_crop_region_for_grid(size, base[1], base[0])
    assert fit_and_centre(size, base) == region
    stock = embeddings.get_3d_rotary_pos_embed(head_dim, region, size, frames)
    ours = rotary_table(positions((frames, *size), base, as_released=True), head_dim)
    assert torch.equal(ours[0], stock[0]) and torch.equal(ours[1], stock[1])


@pytest.mark.parametrize("size", [(48, 85), (5, 3), (1, 1)])
@pytest.mark.parametrize("frames", [1, 11])
def test_rope_tables_of_1_5_are_bit_equal(size, frames):
    stock = embeddings.get_3d_rotary_pos_embed(64, None, size, frames, grid_type="slice", max_size=(150, 150))
    ours = rotary_table(positions((frames, *size), None), 64)
    assert torch.equal(ours[0], stock[0]) and torch.equal(ours[1], stock[1])


@pytest.mark.parametrize("size", [(30, 45), (20, 30), (60, 90)])
def test_at_the_native_shape_the_right_positions_are_the_released_ones(size):
    ours, released = (positions((2, *size), (30, 45), as_released=flag) for flag in (False, True))
    assert all(torch.equal(a, b) for a, b in zip(ours, released, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rotation_is_bit_equal(dtype):
    x = torch.randn(2, 3, 4 + 12, 32, dtype=dtype)
    rotary = rotary_table(positions((3, 2, 2), None), 32)
    expected = x.clone()
    expected[:, :, 4:] = embeddings.apply_rotary_emb(x[:, :, 4:], rotary)
    assert torch.equal(rotate(x, turns(rotary, 4)), expected)


@pytest.mark.parametrize("grid", [(13, 6, 9), (1, 4, 4), (3, 5, 2)])
def test_sincos_tables_are_bit_equal(grid):
    t, y, x = grid
    stock = embeddings.get_3d_sincos_pos_embed(48, (x, y), t, 1.875, 1.5)
    assert torch.equal(sincos_3d(grid, 48, 1.875, 1.5), stock.flatten(0, 1))


@pytest.mark.parametrize("cos_first", [True, False])
@pytest.mark.parametrize("shift", [0, 1])
def test_timestep_waves_and_embedding_are_bit_equal(cos_first, shift):
    t = torch.tensor([0, 1, 500, 999])
    wave = embeddings.Timesteps(32, cos_first, shift)(t)
    assert torch.equal(sinusoid(t, 32, cos_first, shift), wave)
    ours, stock = same_weights(TimestepEmbedding(32, 16), embeddings.TimestepEmbedding(32, 16))
    assert torch.equal(ours(wave), stock(wave))


@pytest.mark.parametrize("affine", [True, False])
def test_expert_adaln_is_bit_equal_and_in_the_same_order(affine):
    ours, stock = same_weights(ExpertAdaLN(8, 16, affine), CogVideoXLayerNormZero(8, 16, affine))
    inputs = torch.randn(2, 6, 16), torch.randn(2, 3, 16), torch.randn(2, 8)
    for got, wanted in zip(ours(*inputs), stock(*inputs), strict=True):
        assert torch.equal(got, wanted)


def test_the_final_adaln_is_bit_equal():
    stock = AdaLayerNorm(8, output_dim=32, norm_elementwise_affine=True, chunk_dim=1)
    ours, stock = same_weights(FinalAdaLN(8, 16), stock)
    x, temb = torch.randn(2, 6, 16), torch.randn(2, 8)
    assert torch.equal(ours(x, temb), stock(x, temb=temb))


def test_the_feed_forward_is_bit_equal():
    stock = StockFeedForward(16, activation_fn="gelu-approximate", final_dropout=True)
    ours, stock = same_weights(FeedForward(16), stock)
    x = torch.randn(2, 6, 16)
    assert torch.equal(ours(x), stock(x))


@pytest.mark.parametrize("rope", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_a_block_and_its_joint_attention_are_bit_equal(rope, bias):
    torch.manual_seed(0)
    sizes = dict(num_attention_heads=3, attention_head_dim=16, time_embed_dim=8)
    ours, stock = same_weights(
        ExpertBlock(48, 3, 16, 8, bias=bias), CogVideoXBlock(48, **sizes, attention_bias=bias)
    )
    for norm in (stock.attn1.norm_q, stock.attn1.norm_k):
        torch.nn.init.normal_(norm.weight)
    ours, stock = same_weights(ours, stock)
    inputs = dict(hidden_states=torch.randn(2, 12, 48), encoder_hidden_states=torch.randn(2, 5, 48))
    rotary = rotary_table(positions((3, 2, 2), None), 16) if rope else None
    for got, wanted in zip(
        ours.attn1(**inputs, image_rotary_emb=rotary), stock.attn1(**inputs, image_rotary_emb=rotary), strict=True
    ):
        assert torch.equal(got, wanted)
    temb = torch.randn(2, 8)
    for got, wanted in zip(
        ours(**inputs, temb=temb, image_rotary_emb=rotary),
        stock(**inputs, temb=temb, image_rotary_emb=rotary),
        strict=True,
    ):
        assert torch.equal(got, wanted)


@pytest.mark.parametrize("shape", [(17,), (1, 17), (17, 17)])
def test_a_mask_means_the_same(shape):
    torch.manual_seed(0)
    ours, stock = same_weights(
        ExpertBlock(48, 3, 16, 8), CogVideoXBlock(48, 3, 16, 8, attention_bias=True)
    )
    inputs = dict(hidden_states=torch.randn(2, 12, 48), encoder_hidden_states=torch.randn(2, 5, 48))
    mask = torch.rand(2, *shape) > 0.3
    got, wanted = (attn(**inputs, attention_mask=mask)[0] for attn in (ours.attn1, stock.attn1))
    torch.testing.assert_close(got, wanted, atol=1e-6, rtol=1e-6)
