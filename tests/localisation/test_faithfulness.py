import numpy as np
import pytest
import torch

from cogkit.localisation.faithfulness import changes, faithfulness, highlighted, moved

PROMPT, GRID = "a red circle moving right", (3, 4, 4)


@pytest.fixture(scope="module")
def setting(tiny_pipe):
    latents = torch.randn(1, 3, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    return tiny_pipe(), PROMPT, "circle", latents, 599


def region_of(*tokens):
    found = np.zeros(GRID, bool)
    found.reshape(-1)[list(tokens)] = True
    return found


def test_the_word_is_knocked_out_for_the_queries_of_the_region_alone(tiny_pipe, setting):
    """In one block, what a token says depends on other tokens' queries not at all: only the cut ones may change."""
    found = changes(tiny_pipe(num_layers=1), *setting[1:], [region_of(0, 5, 47), region_of(20)])
    for change, region in zip(found, (region_of(0, 5, 47), region_of(20)), strict=True):
        assert (change[region] > 2e-5).all() and (change[~region] < 1e-6).all()


def test_the_pipeline_is_as_before(setting):
    pipe, *rest = setting
    scheduler = pipe.scheduler
    changes(pipe, *rest, [region_of(0)])
    assert pipe.scheduler is scheduler


def test_a_score_compares_the_highlighted_region_with_random_ones_of_its_size(setting):
    word_map = np.random.default_rng(0).random(GRID)
    score = faithfulness(*setting, word_map, region_of(1, 2, 3), regions=4)
    assert len(score.random) == 4 and min(score.highlighted, score.true, *score.random) > 0
    assert np.isclose(score.ratio, score.highlighted / np.mean(score.random))


def test_the_highlighted_region_holds_the_highest_values_and_moved_ones_its_shape():
    word_map = np.arange(48.0).reshape(GRID)
    bright = highlighted(word_map, 5)
    assert np.flatnonzero(bright).tolist() == [43, 44, 45, 46, 47]
    copies = moved(bright, 6, seed=0)
    assert all(copy.sum((1, 2)).tolist() == bright.sum((1, 2)).tolist() for copy in copies)
    assert len({copy.tobytes() for copy in [bright, *copies]}) == 7
