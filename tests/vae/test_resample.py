import pytest
import torch
import torch.nn.functional as F

from cogkit.vae.resample import DoublingConv2d, Downsample, Upsample, mean_of_pairs, repeat_frames
from cogkit.vae.stream import Stream


def frames(n):
    return torch.arange(float(n)).reshape(1, 1, n, 1, 1)


def test_pairs_are_averaged_and_frame_0_of_a_video_stays_alone():
    assert mean_of_pairs(frames(4), alone=False).flatten().tolist() == [0.5, 2.5]
    assert mean_of_pairs(frames(5), alone=True).flatten().tolist() == [0, 1.5, 3.5]


def test_frames_are_repeated_and_frame_0_of_a_video_stays_alone():
    assert repeat_frames(frames(2), 2, alone=False).flatten().tolist() == [0, 0, 1, 1]
    assert repeat_frames(frames(3), 2, alone=True).flatten().tolist() == [0, 1, 1, 2, 2]


@torch.no_grad()
@pytest.mark.parametrize("compress_time", [True, False])
def test_down_and_up_again_is_the_size_one_began_with(compress_time):
    stream = Stream()
    x = Downsample(2, compress_time)(torch.randn(1, 2, 5, 8, 6), stream)
    assert x.shape == (1, 2, 3 if compress_time else 5, 4, 3)
    assert Upsample(2, compress_time)(x, stream).shape == (1, 2, 5, 8, 6)


@pytest.mark.parametrize("as_released", [False, True])
@pytest.mark.parametrize("height, width", [(1, 1), (3, 5), (8, 8)])
def test_pixels_that_are_never_repeated_count_as_if_they_were(height, width, as_released):
    torch.manual_seed(0)
    conv, x = DoublingConv2d(3, 4, 3, padding=1), torch.randn(2, 3, height, width)
    wanted = F.conv2d(F.interpolate(x, scale_factor=2.0), conv.weight, conv.bias, padding=1)
    got = conv(x, as_released)
    if as_released:
        assert torch.equal(got, wanted)
    torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-6)
