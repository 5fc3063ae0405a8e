"""Every recipe against dense float64 attention, from the q and k that the same run recorded."""

import numpy as np
import pytest
import torch

import cogkit
from cogkit.recording.recipes import PREFERRED, RELATION, Recipe, UnknownRecipe

TEXT, GRID, TOKENS = 16, (3, 2, 6), 52
RED, PROMPT = [1, 6], 7  # slots of "red", and how many the prompt has


@pytest.fixture(scope="module")
def run(tiny_pipe, generate):
    pipe = tiny_pipe(num_layers=3)
    with cogkit.record(
        pipe,
        cogkit.maps("video->text", words=["red", "circle"], heads="each", dtype="float32"),
        cogkit.maps("text->video", words=["red", "circle"], heads="each", dtype="float32"),
        cogkit.maps("video->text", words=["red"], dtype="float32", name="mean of heads"),
        cogkit.maps("video->text", words=["red"], layers=0, dtype="float32", name="first layer"),
        cogkit.acts("blocks.*.attn.[qk]"),
    ) as rec:
        generate(pipe, height=32, width=96, num_inference_steps=4)
    return rec.run


@pytest.fixture(scope="module")
def exact(run):
    """(step, layer, head, query, key)"""
    q, k = (torch.from_numpy(run[f"attn.{name}"].sel(branch="cond").values).double() for name in "qk")
    return (q @ k.mT / 4).softmax(-1).numpy()


def close(found, wanted):
    np.testing.assert_allclose(found.values, wanted.reshape(GRID), atol=1e-6, rtol=1e-4)


def test_mass_share_and_lift_are_those_of_dense_attention(run, exact):
    columns = exact[..., TEXT:, :TEXT].mean((0, 1, 2))
    mass = columns[:, RED].sum(-1)
    close(run.word("red", "mass"), mass)
    close(run.word("red", "share"), mass / columns[:, :PROMPT].sum(-1))
    close(run.word("red", "lift"), mass / 2 * TOKENS)


def test_daam_is_the_mean_over_calls_of_the_share_of_all_text(run, exact):
    columns = exact[..., TEXT:, :TEXT].mean(2)
    wanted = (columns[..., RED].sum(-1) / columns.sum(-1)).mean((0, 1))
    close(run.word("red", "daam"), wanted)
    close(run.word("red", "daam", relation="mean of heads"), wanted)  # whether or not heads were kept apart


def test_what_a_word_reads_is_its_own_row(run, exact):
    close(run.word("red", "reads"), exact[..., RED, TEXT:].mean((0, 1, 2, 3)) * TOKENS)


def test_depth_and_noise_choose_the_calls_that_are_averaged(run, exact):
    found = run.word("red", Recipe("mass", depth=(1 / 3, 1), noise=(0.5, 1)))
    assert run["video->text"].train_timestep.values.tolist() == [999, 749, 499, 249]
    close(found, exact[:2, 1:][..., TEXT:, RED].sum(-1).mean((0, 1, 2)))
    assert found.attrs == {"recipe": "mass, depth 0.33 to 1, noise 0.5 to 1", "steps": [0, 1], "layers": [1, 2]}


def test_a_recording_with_nothing_in_the_window_is_averaged_whole_and_says_so(run, exact):
    found = run.word("red", Recipe("mass", depth=(0.9, 1)), relation="first layer")
    close(found, exact[:, 0][..., TEXT:, RED].sum(-1).mean((0, 1)))
    assert found.attrs["layers"] == [0]


def test_without_a_recipe_the_first_preferred_one_is_drawn_that_was_recorded(run):
    first = next(recipe for recipe in PREFERRED if recipe.relation != "concepts")  # none were recorded
    assert run.word("red").identical(run.word("red", first))
    reads = run.word("red", relation="text->video")
    assert reads.attrs["recipe"].startswith("reads")
    assert {recipe.relation for recipe in PREFERRED} == set(RELATION.values())  # some map can always be drawn


def test_unknown_recipes_and_those_that_were_not_recorded_are_named(run):
    with pytest.raises(UnknownRecipe, match="scale 'sahre' is unknown; there are 'mass', 'share'"):
        run.word("red", "sahre")
    with pytest.raises(UnknownRecipe, match=r"depth=.0.9, 0.1. is no window; give .from, to."):
        Recipe("mass", depth=(0.9, 0.1))
    with pytest.raises(UnknownRecipe, match="'concepts' is made of 'concepts'; here are .*video->text"):
        run.word("red", "concepts")
    for scale, made_of, relation in (("share", "video->text", "text->video"), ("reads", "text->video", "video->text")):
        with pytest.raises(UnknownRecipe, match=f"'{scale}' is made of '{made_of}'; here are {relation}"):
            run.word("red", scale, relation=relation)
    with pytest.raises(LookupError, match="nothing was recorded as 'maps'"):
        run.word("red", relation="maps")
    with pytest.raises(UnknownRecipe, match="no map of words was recorded"):
        run.word("red", relation="attn.q")


def test_by_default_a_word_is_drawn_from_a_recording_that_has_it(tiny_pipe, generate):
    pipe = tiny_pipe()
    selectors = cogkit.maps("video->text", words=["red", "circle"]), cogkit.maps("text->video", words=["red"])
    with cogkit.record(pipe, *selectors) as rec:
        generate(pipe)
    for word, scale in (("red", "reads"), ("circle", "mass")):
        assert rec.run.word(word).attrs["recipe"].startswith(scale)
