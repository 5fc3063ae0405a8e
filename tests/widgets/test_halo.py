"""What the explorer says that a rank must receive is enough, and needed, for causal convolutions on several ranks."""

import pytest
import torch

from cogkit.shapes import SizeError, time_shares
from cogkit.vae.causal_conv import CausalConv3d
from cogkit.vae.stream import Stream
from cogkit.widgets.halo import HaloExplorer, look

LATENTS, RANKS, DEPTH = 13, 4, 3


def serial(convs, x):
    for conv in convs:
        x = conv(x, Stream())
    return x


@pytest.fixture
def convs():
    torch.manual_seed(0)
    return [CausalConv3d(2, 2).double() for _ in range(DEPTH)]


def test_with_two_frames_of_the_left_neighbour_before_each_convolution_the_ranks_get_the_serial_result(convs):
    x = torch.randn(1, 2, LATENTS, 3, 3, dtype=torch.float64)
    parts = [x[:, :, share.start : share.stop] for share in time_shares(LATENTS, RANKS)]
    for conv in convs:
        halos = [None, *(part[:, :, -2:] for part in parts[:-1])]
        for rank, (part, halo) in enumerate(zip(parts, halos, strict=True)):
            with_halo = part if halo is None else torch.cat([halo, part], dim=2)
            parts[rank] = conv(with_halo, Stream())[:, :, 0 if halo is None else 2 :]
    assert torch.allclose(torch.cat(parts, dim=2), serial(convs, x), atol=1e-12)


def test_the_gray_frames_are_those_that_a_gradient_reaches(convs):
    x = torch.randn(1, 2, LATENTS, 3, 3, dtype=torch.float64, requires_grad=True)
    first = time_shares(LATENTS, RANKS)[2].start
    serial(convs, x)[:, :, first].sum().backward()
    reached = (x.grad.abs().amax((0, 1, 3, 4)) > 0).sum().item() - 1  # apart from the frame itself
    _, readout = look(49, RANKS, 2, DEPTH, pixels=False)
    assert f"depends on {reached} latent frames of ranks 0 and 1 (gray)" in readout


def test_latent_and_pixel_frames_of_a_rank_are_the_same_stretch_of_time():
    figure, readout = look(49, 4, 2, 1, pixels=True)
    assert "holds latent frames 7 to 9, which are pixel frames 25 to 36" in readout
    assert "receives 2 pixel frames, 23 to 24, from rank 1" in readout
    assert figure.table.splitlines()[3].split() == ["2", "25", "36", "12"]


def test_rank_0_receives_nothing():
    assert "receives nothing" in look(49, 4, 0, 5, pixels=False)[1]


def test_a_number_of_ranks_that_does_not_divide_is_refused_with_those_that_do():
    with pytest.raises(SizeError, match="ranks=5 does not fit 13 frames.*use 1, 2, 3, 4, 6"):
        time_shares(13, 5)
    with pytest.raises(SizeError, match="ranks=12"):  # one frame each is less than a kernel of 3 asks for
        time_shares(13, 12)
    explorer = HaloExplorer()
    explorer.controls["ranks"].value = 5
    assert "ranks=5 does not fit" in explorer.view.value and "<img" not in explorer.view.value
    explorer.controls["ranks"].value = 6
    assert "<img" in explorer.view.value


def test_the_slider_of_the_rank_ends_at_the_last_one():
    explorer = HaloExplorer()
    explorer.controls["rank"].value = 3
    explorer.controls["ranks"].value = 2
    assert explorer.controls["rank"].max == explorer.controls["rank"].value == 1 and "<img" in explorer.view.value


def test_shares_cover_every_frame_once_and_rank_0_has_one_more():
    for frames, ranks in ((13, 3), (25, 8), (5, 2), (1, 1)):
        shares = time_shares(frames, ranks)
        assert [k for share in shares for k in share] == list(range(frames))
        assert {len(share) for share in shares[1:]} <= {len(shares[0]) - 1}
