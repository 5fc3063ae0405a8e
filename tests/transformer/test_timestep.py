import torch

from cogkit.transformer.timestep import TimestepEmbedding, sinusoid


def test_every_timestep_has_its_own_vector():
    waves = sinusoid(torch.arange(1000), 32)
    nearest = torch.cdist(waves, waves).fill_diagonal_(torch.inf).min()
    assert nearest > 0.1


def test_the_slowest_wave_still_tells_the_first_step_from_the_last():
    first, last = sinusoid(torch.tensor([0, 999]), 64)
    assert first[:32].eq(1).all() and first[32:].eq(0).all()  # cosines first
    assert 0.1 < last[-1] < 0.2  # sine of 999 at a frequency of almost 1/10000


def test_halves_swap_when_the_sine_comes_first():
    value = torch.tensor([3.5])
    swapped = sinusoid(value, 8, cos_first=False)
    assert torch.equal(swapped, sinusoid(value, 8).roll(4, dims=-1))


def test_the_embedding_is_two_linear_layers_with_silu_between():
    embedding, wave = TimestepEmbedding(8, 6), torch.randn(2, 8)
    hidden = wave @ embedding.linear_1.weight.T + embedding.linear_1.bias
    hidden = hidden * hidden.sigmoid()
    torch.testing.assert_close(embedding(wave), hidden @ embedding.linear_2.weight.T + embedding.linear_2.bias)
