import torch

from cogkit.training.usual_error import LEVELS, UsualError

EVERY_LEVEL = (torch.arange(LEVELS) + 0.5).mul(1000 / LEVELS).long()


def test_errors_of_their_usual_size_count_the_same_at_every_noise_level():
    usual, errors = UsualError(), torch.linspace(0.01, 0.2, LEVELS)
    for _ in range(3):
        weights = usual.weights(errors, EVERY_LEVEL)
    torch.testing.assert_close(weights * errors, errors.mean().expand(LEVELS))


def test_what_is_unusual_at_its_level_counts_more():
    usual, errors = UsualError(), torch.linspace(0.01, 0.2, LEVELS)
    for _ in range(50):
        usual.weights(errors, EVERY_LEVEL)
    doubled = errors * torch.where(torch.arange(LEVELS) == 7, 2, 1)
    counted = usual.weights(doubled, EVERY_LEVEL) * doubled
    assert counted.argmax() == 7 and counted[7] > 1.9 * counted[6]


def test_a_level_that_was_never_met_is_not_asked_for_and_does_no_harm():
    weights = UsualError().weights(torch.tensor([0.3, 0.1]), torch.tensor([999, 998]))
    torch.testing.assert_close(weights, torch.ones(2))


def test_the_usual_is_remembered_by_a_checkpoint():
    taught, resumed, errors = UsualError(), UsualError(), torch.rand(LEVELS, generator=torch.Generator().manual_seed(0))
    taught.weights(errors, EVERY_LEVEL)
    resumed.load_state_dict(taught.state_dict())
    one, other = (usual.weights(errors.flip(0), EVERY_LEVEL) for usual in (taught, resumed))
    assert torch.equal(one, other)
