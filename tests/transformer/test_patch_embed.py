from types import SimpleNamespace

import pytest
import torch

from cogkit.transformer.patch_embed import PatchEmbed
from cogkit.transformer.patchify import patchify
from cogkit.transformer.rope import PositionError

CONFIG = dict(
    in_channels=4,
    patch_size=2,
    patch_size_t=None,
    patch_bias=True,
    text_embed_dim=8,
    max_text_seq_length=5,
    sample_height=4,
    sample_width=6,
    sample_frames=9,
    temporal_compression_ratio=4,
    spatial_interpolation_scale=1.875,
    temporal_interpolation_scale=1.0,
    use_rotary_positional_embeddings=False,
    use_learned_positional_embeddings=False,
)


def embed(**changes):
    torch.manual_seed(0)
    return PatchEmbed(SimpleNamespace(**CONFIG | changes), 16)


def learned():
    module = embed(use_rotary_positional_embeddings=True, use_learned_positional_embeddings=True)
    module.pos_embedding = torch.randn_like(module.pos_embedding)
    return module


def inputs(t=3, h=4, w=6, text=5):
    return torch.randn(1, text, 8), torch.randn(1, t, 4, h, w)


def added(module, text, latents, **how):
    """What the module adds to the tokens."""
    bare = embed(use_rotary_positional_embeddings=True)
    return module(text, latents, **how) - bare(text, latents)


def test_the_strided_convolution_of_1_0_is_a_linear_layer_on_patches():
    module, (text, latents) = embed(use_rotary_positional_embeddings=True), inputs()
    linear = torch.nn.functional.linear(patchify(latents), module.proj.weight.flatten(1), module.proj.bias)
    torch.testing.assert_close(module(text, latents)[:, 5:], linear)


def test_rope_models_add_nothing_and_own_no_table():
    assert not list(embed(use_rotary_positional_embeddings=True).buffers())


def test_sines_are_added_to_the_video_and_zeros_to_the_text_whatever_the_length_of_the_prompt():
    for slots in (2, 5, 7):
        text, latents = inputs(text=slots)
        rows = added(embed(), text, latents)
        assert not rows[:, :slots].any()
        torch.testing.assert_close(rows[:, slots:], embed().pos_embedding[:, 5:].float(), atol=1e-6, rtol=1e-6)


def test_the_reference_takes_only_prompts_of_full_length_when_positions_are_added():
    with pytest.raises(RuntimeError, match="must match"):
        embed()(*inputs(text=2), as_released=True)


def test_learned_positions_are_never_replaced_a_shorter_clip_reads_their_front():
    module, (text, latents) = learned(), inputs(t=2)
    torch.testing.assert_close(
        added(module, text, latents), module.pos_embedding[:, : 5 + 2 * 6].float(), atol=1e-6, rtol=1e-6
    )


def test_the_reference_swaps_learned_positions_for_sines_when_the_frame_count_differs():
    text, latents = inputs(t=2)
    as_released = added(learned(), text, latents, as_released=True)
    torch.testing.assert_close(as_released, added(embed(), text, latents), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("size", [dict(t=4), dict(h=6), dict(w=4), dict(h=6, w=4)])
def test_where_learned_positions_end_the_size_is_refused(size):
    with pytest.raises(PositionError, match=r"latents of . x . x . have no learned positions: they end at 3 x 4 x 6"):
        learned()(*inputs(**size))


def test_a_prompt_beyond_the_learned_positions_is_refused():
    with pytest.raises(PositionError, match="7 text tokens, but positions were learned for 5"):
        learned()(*inputs(text=7))
