import torch

from cogkit.training.timesteps import explicit_uniform


def test_every_interval_gets_exactly_one_timestep():
    for seed in range(20):
        t = explicit_uniform(40, torch.Generator().manual_seed(seed))
        assert sorted((t // 25).tolist()) == list(range(40))


def test_over_many_draws_every_timestep_is_as_likely_as_any_other():
    generator = torch.Generator().manual_seed(0)
    drawn = torch.cat([explicit_uniform(7, generator) for _ in range(20_000)])
    counts = torch.bincount(drawn, minlength=1000)
    assert len(counts) == 1000 and counts.min() > 90 and counts.max() < 200


def test_the_mean_varies_less_than_with_independent_draws():
    generator = torch.Generator().manual_seed(0)
    strata = torch.stack([explicit_uniform(16, generator).double().mean() for _ in range(500)])
    independent = torch.randint(1000, (500, 16), generator=generator).double().mean(1)
    assert strata.var() < independent.var() / 50
