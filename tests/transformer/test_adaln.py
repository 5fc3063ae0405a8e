import torch

from cogkit.transformer.adaln import ExpertAdaLN, FinalAdaLN


def parts():
    return torch.randn(2, 5, 16), torch.randn(2, 3, 16), torch.randn(2, 8)


def test_without_modulation_both_experts_are_the_same_layernorm():
    adaln, (video, text, temb) = ExpertAdaLN(8, 16), parts()
    torch.nn.init.zeros_(adaln.linear.weight)
    torch.nn.init.zeros_(adaln.linear.bias)
    out = adaln(video, text, temb)
    assert torch.equal(out.video, adaln.norm(video)) and torch.equal(out.text, adaln.norm(text))
    assert not out.video_gate.any() and not out.text_gate.any()


def test_the_first_half_of_the_modulation_is_the_videos_and_the_second_the_texts():
    adaln, (video, text, temb) = ExpertAdaLN(8, 16), parts()
    before = adaln(video, text, temb)
    with torch.no_grad():
        adaln.linear.bias[3 * 16 :] += 1
    after = adaln(video, text, temb)
    assert torch.equal(after.video, before.video) and torch.equal(after.video_gate, before.video_gate)
    torch.testing.assert_close(after.text_gate, before.text_gate + 1)
    torch.testing.assert_close(after.text, before.text + 1 + adaln.norm(text))


def test_the_modulation_is_the_same_for_every_token_of_a_clip():
    adaln, (video, text, temb) = ExpertAdaLN(8, 16), parts()
    order = torch.tensor([4, 2, 0, 3, 1])
    torch.testing.assert_close(adaln(video[:, order], text, temb).video, adaln(video, text, temb).video[:, order])


def test_the_final_one_shifts_before_it_scales_in_the_order_of_its_weights():
    adaln, (video, _, temb) = FinalAdaLN(8, 16), parts()
    before = adaln(video, temb)
    with torch.no_grad():
        adaln.linear.bias[:16] += 1  # the shift
    torch.testing.assert_close(adaln(video, temb), before + 1)
