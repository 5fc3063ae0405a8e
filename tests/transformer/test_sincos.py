import torch

from cogkit.transformer.sincos import sincos, sincos_3d


def test_a_quarter_of_the_channels_knows_time_then_x_then_y():
    table = sincos_3d((3, 4, 5), 32).view(3, 4, 5, 32)
    time, x, y = table.split([8, 12, 12], dim=-1)
    assert torch.equal(time, time[:, :1, :1].expand_as(time)) and not torch.equal(time[0], time[1])
    assert torch.equal(x, x[:1, :1].expand_as(x)) and not torch.equal(x[0, 0, 0], x[0, 0, 1])
    assert torch.equal(y, y[:1, :, :1].expand_as(y)) and not torch.equal(y[0, 0, 0], y[0, 1, 0])


def test_no_two_patches_have_the_same_vector():
    table = sincos_3d((3, 4, 5), 32)
    assert len(table.unique(dim=0)) == 3 * 4 * 5


def test_the_product_of_two_vectors_depends_on_their_distance_only():
    vectors = sincos(torch.arange(20), 16)
    products = vectors @ vectors.T
    for distance in range(19):
        along = products.diagonal(distance)
        torch.testing.assert_close(along, along[:1].expand_as(along))


def test_a_scale_squeezes_the_positions():
    assert torch.equal(sincos_3d((1, 1, 5), 16, scale_xy=2)[4], sincos_3d((1, 1, 5), 16)[2])
