from functools import partial

import pytest
import torch
import torch.nn.functional as F

from cogkit.vae.group_norm import GroupNorm
from cogkit.vae.resample import Downsample
from cogkit.vae.resnet import Resnet, Row
from cogkit.vae.spatial_norm import SpatialNorm
from cogkit.vae.stream import Stream

NORM = partial(GroupNorm, 2, eps=1e-6)


@pytest.fixture(autouse=True)
def as_pipelines_run_it():
    torch.manual_seed(0)
    with torch.no_grad():
        yield


def by_hand(resnet, x):
    """The block as torch's own functions write it, for a whole video."""

    def half(norm, conv, x):
        x = F.silu(F.group_norm(x, 2, norm.weight, norm.bias, norm.eps))
        x = torch.cat([x[:, :, :1], x[:, :, :1], x], dim=2)
        return F.conv3d(x, conv.conv.weight, conv.conv.bias, padding=(0, 1, 1))

    straight = (
        x if resnet.conv_shortcut is None else F.conv3d(x, resnet.conv_shortcut.weight, resnet.conv_shortcut.bias)
    )
    return straight + half(resnet.norm2, resnet.conv2, half(resnet.norm1, resnet.conv1, x))


@pytest.mark.parametrize("c_out", [4, 6])
def test_it_adds_two_normed_convolutions_to_what_it_was_given_or_to_that_at_the_new_width(c_out):
    resnet, x = Resnet(4, c_out, NORM), torch.randn(1, 4, 3, 5, 6)
    assert (resnet.conv_shortcut is None) == (c_out == 4)
    torch.testing.assert_close(resnet(x, Stream()), by_hand(resnet, x), rtol=0, atol=1e-5)


@pytest.mark.parametrize("as_released", [False, True])
def test_what_it_was_given_is_not_written_over(as_released):
    norm = partial(SpatialNorm, 2, 3)
    resnet, x, z = Resnet(4, 4, norm), torch.randn(1, 4, 3, 4, 4), torch.randn(1, 3, 3, 2, 2)
    copies = x.clone(), z.clone()
    resnet(x, Stream(as_released), z)
    assert torch.equal(x, copies[0]) and torch.equal(z, copies[1])


def test_a_row_is_its_resnets_one_after_the_other_and_then_the_change_of_size():
    row, x = Row(4, 6, 2, NORM, down=[Downsample(6, compress_time=False)]), torch.randn(1, 4, 3, 4, 4)
    after = row.resnets[1](row.resnets[0](x, Stream()), Stream())
    wanted = row.downsamplers[0](after, Stream())
    assert torch.equal(row(x, Stream()), wanted) and wanted.shape == (1, 6, 3, 2, 2)
    assert [resnet.conv_shortcut is None for resnet in row.resnets] == [False, True]
