from types import SimpleNamespace

import pytest
import torch

from cogkit.transformer.block import ExpertBlock


@pytest.fixture
def block():
    torch.manual_seed(0)
    sizes = dict(num_attention_heads=2, attention_head_dim=16, time_embed_dim=8)
    rest = dict(dropout=0.0, attention_bias=True, norm_elementwise_affine=True, norm_eps=1e-5)
    return ExpertBlock(SimpleNamespace(**sizes, **rest)).eval()


def tokens():
    return torch.randn(2, 6, 32), torch.randn(2, 3, 32), torch.randn(2, 8)


def zero(linear):
    torch.nn.init.zeros_(linear.weight)
    torch.nn.init.zeros_(linear.bias)


def test_a_block_with_closed_gates_changes_nothing(block):
    zero(block.norm1.linear)
    zero(block.norm2.linear)
    video, text, temb = tokens()
    out = block(video, text, temb)
    assert torch.equal(out[0], video) and torch.equal(out[1], text)


def test_with_closed_gates_in_front_of_attention_no_token_hears_of_another(block):
    zero(block.norm1.linear)
    video, text, temb = tokens()
    before = block(video, text, temb)[0]
    video[:, 0] += 1
    after = block(video, text, temb)[0]
    assert not torch.equal(after[:, 0], before[:, 0]) and torch.equal(after[:, 1:], before[:, 1:])


def test_both_streams_keep_what_attention_and_the_feed_forward_say(block):
    video, text, temb = tokens()
    normed = block.norm1(video, text, temb)
    for_video, for_text = block.attn1(normed.video, normed.text)
    mid = video + normed.video_gate * for_video, text + normed.text_gate * for_text
    normed = block.norm2(*mid, temb)
    out = block(video, text, temb)
    torch.testing.assert_close(out[0], mid[0] + normed.video_gate * block.ff(normed.video))
    torch.testing.assert_close(out[1], mid[1] + normed.text_gate * block.ff(normed.text))


def test_attention_comes_first_and_the_feed_forward_reads_what_it_left(block):
    order = []
    for name in ("norm1", "attn1", "norm2", "ff"):
        block.get_submodule(name).register_forward_hook(lambda *_, name=name: order.append(name))
    seen = []
    block.norm2.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    video, text, temb = tokens()
    block(video, text, temb)
    assert order == ["norm1", "attn1", "norm2", "ff"]
    normed = block.norm1(video, text, temb)
    attended = block.attn1(normed.video, normed.text)[0]
    torch.testing.assert_close(seen[0], video + normed.video_gate * attended)
