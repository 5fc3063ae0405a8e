import math

import pytest
import torch
from einops import rearrange

from cogkit.transformer.attention import JointAttention
from cogkit.transformer.rope import positions, rotary_table


@pytest.fixture
def attention():
    torch.manual_seed(0)
    return JointAttention(32, heads=2, head_dim=16).eval()


def tokens():
    return torch.randn(2, 12, 32), torch.randn(2, 5, 32)


def test_it_is_softmax_of_q_times_k_over_text_and_video_together(attention):
    video, text = tokens()
    x = torch.cat([text, video], dim=1)
    q, k, v = (rearrange(part(x), "b n (h d) -> b h n d", h=2) for part in (attention.to_q, attention.to_k, attention.to_v))
    pattern = (attention.norm_q(q) @ attention.norm_k(k).transpose(-1, -2) / math.sqrt(16)).softmax(-1)
    expected = attention.to_out[0](rearrange(pattern @ v, "b h n d -> b n (h d)"))
    out = attention(video, text)
    torch.testing.assert_close(out.text, expected[:, :5])
    torch.testing.assert_close(out.video, expected[:, 5:])


def test_every_token_sees_every_other_nothing_is_causal(attention):
    video, text = tokens()
    before = attention(video, text)
    video[:, -1] += 1
    after = attention(video, text)
    assert (after.video != before.video).any(-1).all() and (after.text != before.text).any(-1).all()


def test_without_rope_attention_does_not_know_where_a_patch_is(attention):
    video, text = tokens()
    shuffled = torch.randperm(12)
    torch.testing.assert_close(attention(video[:, shuffled], text).video, attention(video, text).video[:, shuffled])
    rotary = rotary_table(positions((3, 2, 2), None), 16)
    turned = attention(video[:, shuffled], text, rotary).video, attention(video, text, rotary).video[:, shuffled]
    assert (turned[0] - turned[1]).abs().max() > 1e-4


def test_moving_the_whole_video_by_one_patch_changes_scores_with_text_only(attention):
    """Among video tokens RoPE knows distances only; the text stands still at angle zero, so it sees the move."""
    video, text = tokens()
    here, moved = (rotary_table([axis + shift for axis in positions((3, 2, 2), None)], 16) for shift in (0, 1))
    nothing = text[:, :0]
    torch.testing.assert_close(attention(video, nothing, here).video, attention(video, nothing, moved).video)
    assert (attention(video, text, here).video - attention(video, text, moved).video).abs().max() > 1e-4


def test_the_scale_of_a_token_does_not_matter_to_its_query(attention):
    for part in (attention.to_q, attention.to_k):
        torch.nn.init.zeros_(part.bias)
    video, text = tokens()
    torch.testing.assert_close(
        attention.norm_q(attention.to_q(3 * video).unflatten(-1, (2, 16))),
        attention.norm_q(attention.to_q(video).unflatten(-1, (2, 16))),
        atol=1e-4,
        rtol=1e-4,
    )


def test_a_masked_key_is_as_good_as_absent(attention):
    video, text = tokens()
    look = torch.ones(2, 17, dtype=torch.bool)
    look[:, 3:5] = False  # the last two text tokens: padding, say
    torch.testing.assert_close(attention(video, text, attention_mask=look).video, attention(video, text[:, :3]).video)
    added = torch.zeros(2, 17).masked_fill(~look, -torch.inf)[:, None].expand(2, 17, 17)
    torch.testing.assert_close(
        attention(video, text, attention_mask=added).video, attention(video, text[:, :3]).video
    )
