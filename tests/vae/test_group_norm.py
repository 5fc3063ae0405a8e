import pytest
import torch
import torch.nn.functional as F

from cogkit.vae.group_norm import GroupNorm, channel_moments, scale_and_shift
from cogkit.vae.stream import Stream


def maps(*shape, offset=0.0):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)) + offset
    return x.contiguous(memory_format=torch.channels_last_3d)


@pytest.mark.parametrize("shape", [(1, 8, 3, 2, 2), (2, 8, 1, 5, 7), (1, 8, 2, 100, 90)])
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_the_moments_are_those_of_float64(shape, offset):
    x = maps(*shape, offset=offset)
    groups = x.double().unflatten(1, (4, 2)).flatten(2)
    with torch.no_grad():
        mean, variance = channel_moments(x, 4)
    assert (mean[:, ::2] - groups.mean(2)).abs().max() < 1e-7 * (1 + 100 * offset)
    torch.testing.assert_close(variance[:, ::2].double(), groups.var(2, correction=0), rtol=1e-6, atol=0)
    assert torch.equal(mean[:, ::2], mean[:, 1::2]) and torch.equal(variance[:, ::2], variance[:, 1::2])


def test_with_gradients_the_moments_are_the_same_and_flow():
    x = maps(2, 4, 3, 6, 6).requires_grad_()
    mean, variance = channel_moments(x, 2)
    with torch.no_grad():
        torch.testing.assert_close((mean, variance), channel_moments(x, 2))
    (mean + variance).sum().backward()
    assert x.grad.abs().sum() > 0


def test_it_is_group_norm_and_as_released_it_is_torchs_to_the_last_bit():
    norm, x = GroupNorm(4, 8, eps=1e-6).requires_grad_(False), maps(1, 8, 3, 12, 10, offset=1.0)
    norm.weight.copy_(torch.arange(8.0)), norm.bias.copy_(-torch.arange(8.0))
    wanted = F.group_norm(x.contiguous(), 4, norm.weight, norm.bias, 1e-6)
    with torch.no_grad():
        torch.testing.assert_close(norm(x, Stream()), wanted, rtol=0, atol=5e-6)
        assert torch.equal(norm(x.contiguous(), Stream(as_released=True)), wanted)


@pytest.mark.parametrize("gradients", [False, True])
def test_one_scale_serves_a_whole_block_of_pixels(gradients):
    x, scale, shift = maps(1, 2, 3, 4, 6), maps(1, 2, 3, 2, 3), maps(1, 2, 3, 2, 3, offset=1.0)
    large = [F.interpolate(s, size=x.shape[2:]) for s in (scale, shift)]
    with torch.set_grad_enabled(gradients):
        torch.testing.assert_close(scale_and_shift(x, scale, shift), x * large[0] + large[1])
