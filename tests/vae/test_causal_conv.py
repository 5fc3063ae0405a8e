import pytest
import torch
import torch.nn.functional as F

from cogkit.vae import causal_conv
from cogkit.vae.causal_conv import CausalConv3d, Conv3d
from cogkit.vae.resample import Conv2d
from cogkit.vae.stream import Stream


def maps(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_a_frame_depends_on_no_later_frame():
    conv, x = CausalConv3d(2, 3), maps(1, 2, 5, 4, 4)
    before = conv(x, Stream())
    x[:, :, 3:] += 1
    after = conv(x, Stream())
    assert torch.equal(before[:, :, :3], after[:, :, :3]) and not torch.equal(before[:, :, 3], after[:, :, 3])


@torch.no_grad()
def test_chunks_continue_where_the_one_before_ended():
    conv, x, stream = CausalConv3d(2, 3), maps(1, 2, 7, 4, 4), Stream()
    parts = [conv(part, stream) for part in (x[:, :, :3], x[:, :, 3:4], x[:, :, 4:])]
    torch.testing.assert_close(torch.cat(parts, dim=2), conv(x, Stream()))


@torch.no_grad()
def test_before_the_first_frame_there_are_copies_of_it():
    conv, x = CausalConv3d(2, 3), maps(1, 2, 2, 4, 4)
    padded = torch.cat([x[:, :, :1], x[:, :, :1], x], dim=2)
    wanted = F.conv3d(padded, conv.conv.weight, conv.conv.bias, padding=(0, 1, 1))
    torch.testing.assert_close(conv(x, Stream()), wanted)


@torch.no_grad()
def test_a_kernel_of_three_frames_keeps_two_and_one_of_a_single_frame_keeps_none():
    x, kept, none = maps(1, 2, 5, 4, 4), Stream(), Stream()
    CausalConv3d(2, 3)(x, kept), CausalConv3d(2, 3, kernel=1)(x, none)
    assert [tail.shape[2] for tail in kept.tails.values()] == [2] and not none.tails


@torch.no_grad()
def test_the_direct_way_agrees_with_torchs_slow_kernel():
    """32 channels x 4 frames x 16 rows lie below the 20480 where torch chooses it."""
    conv, x = Conv3d(32, 8, 3, padding=(0, 1, 1)), maps(1, 32, 4, 16, 16)
    torch.testing.assert_close(conv(x), conv(x, as_released=True), rtol=0, atol=5e-6)


@torch.no_grad()
def test_very_large_inputs_are_cut_along_time_and_nothing_is_lost(monkeypatch):
    conv, x = Conv3d(2, 3, 3, padding=(0, 1, 1)), maps(1, 2, 9, 4, 4)
    whole = conv(x)
    monkeypatch.setattr(causal_conv, "LARGEST", x.numel() // 3)
    torch.testing.assert_close(conv(x), whole)


@torch.no_grad()
@pytest.mark.parametrize("kind", [Conv2d, Conv3d])
def test_without_tiles_for_bf16_it_is_computed_in_fp32_and_rounded_once(monkeypatch, kind):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    conv, x = kind(4, 8, 1).bfloat16(), maps(1, 4, *[6] * (3 if kind is Conv3d else 2)).bfloat16()
    widen, widened = torch.Tensor.float, []
    with monkeypatch.context() as patch:
        patch.setattr(torch.Tensor, "float", lambda part: widened.append(part.shape) or widen(part))
        found = conv(x)
    assert widened == [x.shape, conv.weight.shape, conv.bias.shape]
    assert torch.equal(found, conv.float()(x.float()).bfloat16()) and found.dtype == torch.bfloat16


@torch.no_grad()
@pytest.mark.parametrize("kind", [Conv2d, Conv3d])
def test_with_tiles_bf16_is_left_to_torch(monkeypatch, kind):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    monkeypatch.setattr(torch.Tensor, "float", lambda _: pytest.fail("it was widened"))
    conv, x = kind(4, 8, 1).bfloat16(), maps(1, 4, *[6] * (3 if kind is Conv3d else 2)).bfloat16()
    assert torch.equal(conv(x), conv(x, as_released=True))


@torch.no_grad()
def test_a_compiler_is_shown_an_operation_that_it_knows(monkeypatch):
    """torch.compile traces with tensors that hold no numbers, and the direct way needs numbers."""
    from torch._subclasses import FakeTensorMode

    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    with FakeTensorMode():
        assert Conv3d(4, 8, 1)(torch.empty(1, 4, 3, 6, 6)).shape == (1, 8, 3, 6, 6)
