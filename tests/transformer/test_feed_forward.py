import torch

from cogkit.transformer.feed_forward import FeedForward


def test_every_token_is_treated_by_itself():
    ff, x = FeedForward(8).eval(), torch.randn(1, 6, 8)
    torch.testing.assert_close(ff(x)[:, 2:3], ff(x[:, 2:3]))


def test_it_is_four_times_wider_inside():
    assert FeedForward(8).net[0].proj.weight.shape == (32, 8)


def test_gelu_is_the_tanh_approximation():
    ff, x = FeedForward(8), torch.randn(1, 6, 8)
    y = ff.net[0].proj(x)
    expected = 0.5 * y * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (y + 0.044715 * y**3)))
    torch.testing.assert_close(ff.net[0](x), expected)
