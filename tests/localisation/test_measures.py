import numpy as np
import pytest

from cogkit.localisation.measures import RegionError, auc, iou, pointing

GRID = (3, 4, 5)
REGION = np.zeros(GRID, bool)
REGION[0, :2, :2] = REGION[1, 1:3, 1:3] = True  # nothing in the last frame
PERFECT = REGION + np.random.default_rng(0).random(GRID) / 2
CONSTANT = np.full(GRID, 0.3)


def test_a_perfect_map_scores_one_everywhere():
    assert auc(PERFECT, REGION) == iou(PERFECT, REGION) == pointing(PERFECT, REGION) == 1


def test_an_inverted_map_has_auc_zero_and_points_nowhere():
    assert auc(-PERFECT, REGION) == pointing(-PERFECT, REGION) == 0
    assert iou(-PERFECT, REGION) == REGION.mean()  # no threshold helps, so the best takes every token


def test_a_constant_map_is_as_good_as_chance():
    assert auc(CONSTANT, REGION) == 0.5
    assert iou(CONSTANT, REGION) == REGION.mean()
    assert pointing(CONSTANT, REGION) == REGION[:2].mean()


def test_auc_is_the_share_of_pairs_in_the_right_order_and_ties_count_half():
    dice = np.random.default_rng(1)
    for values in (dice.random(GRID), dice.integers(0, 4, GRID).astype(float)):
        inside, outside = values[REGION][:, None], values[~REGION]
        assert np.isclose(auc(values, REGION), (inside > outside).mean() + (inside == outside).mean() / 2)


def test_the_best_iou_is_the_best_over_all_thresholds():
    dice = np.random.default_rng(2)
    for values in (dice.random(GRID), dice.integers(0, 4, GRID).astype(float)):
        tried = [((values >= v) & REGION).sum() / ((values >= v) | REGION).sum() for v in np.unique(values)]
        assert np.isclose(iou(values, REGION), max(tried))
        assert iou(values, REGION, threshold=0.5) <= max(tried)


def test_a_stated_threshold_is_a_share_of_the_largest_value():
    values = np.where(REGION, 10.0, 1.0)
    values[0, 0, 0] = 4.9
    assert iou(values, REGION, threshold=0.5) == (REGION.sum() - 1) / REGION.sum()
    assert iou(values, REGION, threshold=0.4) == 1


def test_pointing_counts_the_frames_in_which_there_is_something_to_point_at():
    values = np.zeros(GRID)
    values[0, 0, 0] = values[1, 3, 4] = values[2, 0, 0] = 1  # right, wrong, no object
    assert pointing(values, REGION) == 0.5


def test_many_maps_at_once_score_as_one_by_one():
    maps = np.random.default_rng(3).random((2, 3, *GRID))
    for measure in (auc, iou, pointing, lambda m, r: iou(m, r, 0.7)):
        found = measure(maps, REGION)
        assert found.shape == (2, 3) and found[1, 2] == measure(maps[1, 2], REGION)


@pytest.mark.parametrize("measure", [auc, iou, pointing])
def test_regions_and_maps_that_cannot_be_compared_are_refused(measure):
    with pytest.raises(RegionError, match="cannot be measured against"):
        measure(PERFECT[:2], REGION)
    with pytest.raises(RegionError, match="0 of 60 tokens"):
        measure(PERFECT, np.zeros(GRID, bool))
    with pytest.raises(RegionError, match="60 of 60 tokens"):
        measure(PERFECT, np.ones(GRID, bool))
    with pytest.raises(RegionError, match="not numbers"):
        measure(np.where(REGION, np.nan, 1.0), REGION)
