import numpy as np
import pytest

import cogkit
from cogkit.localisation.measures import auc, iou, pointing
from cogkit.localisation.scoring import SCALES, candidates, maps_of, scores, single_calls
from cogkit.recording.recipes import PREFERRED

GRID = (3, 4, 4)
REGION = np.zeros(GRID, bool)
REGION[:, 1:3, 1:3] = True


@pytest.fixture(scope="module")
def run(tiny_pipe):
    pipe = tiny_pipe()
    with cogkit.record(
        pipe,
        cogkit.maps("video->text", words=["circle"], heads="each", dtype="float32"),
        cogkit.maps("text->video", words=["circle"], heads="each", dtype="float32"),
        cogkit.concepts("circle", heads="each"),
    ) as rec:
        pipe("a red circle", num_frames=9, height=64, width=64, num_inference_steps=3, max_sequence_length=16,
             output_type="latent")  # fmt: skip
    return rec.run


def test_every_scale_is_tried_whole_and_in_thirds_and_what_is_preferred_is_among_them():
    found = candidates()
    assert {recipe.scale for recipe in found} == set(SCALES) and len(set(map(str, found))) == len(found) >= 36 * 7
    assert set(PREFERRED) <= set(found)


def test_the_maps_that_are_scored_are_those_that_the_run_draws(run):
    for recipe, found in zip(candidates(), maps_of(run, "circle", candidates()), strict=True):
        np.testing.assert_allclose(found, run.word("circle", recipe).values, rtol=1e-4, err_msg=str(recipe))


def test_scores_are_the_measures_in_their_order(run):
    recipes = candidates()[:3]
    drawn = maps_of(run, "circle", recipes)
    for found, one in zip(scores(drawn, REGION), drawn, strict=True):
        wanted = [auc(one, REGION), iou(one, REGION), iou(one, REGION, 0.5), pointing(one, REGION)]
        np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_a_single_call_is_scored_by_its_own_map_alone(run):
    lift = run["video->text"].lift.sel(word="circle", branch="cond")
    found = np.array(single_calls(run, "circle", "mass", REGION))
    assert found.shape == (3, 2, 2)  # step, layer, head
    assert abs(found[2, 1, 0] - auc(lift.sel(step=2, layer=1, head=0).values, REGION)) < 1e-3
    out = run["concepts"].out.sel(branch="cond", step=1, layer=0, head=1)
    found = np.array(single_calls(run, "circle", "concepts", REGION))
    assert abs(found[1, 0, 1] - auc((out.sel(word="circle") - out.sel(word="background")).values, REGION)) < 1e-3
