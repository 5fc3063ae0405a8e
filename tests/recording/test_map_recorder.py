"""Every relation against dense float64 attention, from the q and k that the same run recorded."""

import pytest
import torch

import cogkit

PROMPTS = ["a red circle moving right, red", "a blue square"]
GRID = (3, 2, 6)
TEXT, VIDEO = 16, 36


def recorded(tiny_pipe, generate, **options):
    """A run of two prompts, not square, all relations; and its dense probabilities by (step, branch, sample, layer)."""
    pipe = tiny_pipe()
    every = {"branch": "both", "dtype": "float32"} | options
    with cogkit.record(
        pipe,
        cogkit.maps("video->text", words=["red", "circle", "blue"], **every),
        cogkit.maps("text->video", words=["red", "square"], **every),
        cogkit.maps("video->video", queries=[(0, 1, 2), (2, 0, 5)], **every),
        cogkit.maps("frame->frame", **every),
        cogkit.acts("blocks.*.attn.[qk]", branch="both"),
    ) as rec:
        generate(pipe, prompt=PROMPTS, height=32, width=96)
    q, k = (torch.from_numpy(rec.run[f"attn.{name}"].values).double() for name in "qk")
    return rec.run, (q @ k.mT / 4).softmax(-1)


@pytest.fixture(scope="module")
def by_head(tiny_pipe, generate):
    return recorded(tiny_pipe, generate, heads="each", chunk=1)


@pytest.fixture(scope="module")
def by_mean(tiny_pipe, generate):
    run, exact = recorded(tiny_pipe, generate, heads="mean")
    return run, exact.mean(4)


@pytest.fixture(params=["by_head", "by_mean"])
def run_and_exact(request):
    return request.getfixturevalue(request.param)


def close(found, exact):
    torch.testing.assert_close(torch.from_numpy(found.values).double(), exact, atol=1e-5, rtol=1e-4, equal_nan=True)


def test_words_columns_are_those_of_dense_attention(run_and_exact):
    run, exact = run_and_exact
    lift = run["video->text"].lift
    assert lift.dims[:4] == ("step", "branch", "sample", "layer") and lift.dims[-4:] == ("frame", "y", "x", "word")
    columns = exact[..., TEXT:, :TEXT].unflatten(-2, GRID) * (TEXT + VIDEO)
    close(lift.sel(word="red").isel(sample=0), columns[:, :, 0][..., [1, 6]].mean(-1))
    close(lift.sel(word="circle").isel(sample=0), columns[:, :, 0][..., 2])
    close(lift.sel(word="blue").isel(sample=1), columns[:, :, 1][..., 1])
    assert lift.sel(word="blue").isel(sample=0).isnull().all()  # that prompt does not have it


def test_prompt_end_mark_padding_and_video_share_out_all_mass(run_and_exact):
    run, exact = run_and_exact
    lift, mass = run["video->text"].lift, exact[..., TEXT:, :].unflatten(-2, GRID)
    pieces = [7, 1, 8]  # of the first prompt; the negative prompt is empty
    for word, slots in (("<prompt>", slice(0, 7)), ("<eos>", slice(7, 8)), ("<pad>", slice(8, 16))):
        size = pieces.pop(0)
        found = lift.sel(word=word).isel(sample=0, branch=1) * size / (TEXT + VIDEO)
        close(found, mass[:, 1, 0][..., slots].sum(-1))
    empty = lift.isel(sample=0, branch=0) / (TEXT + VIDEO)
    close(empty.sel(word="<pad>") * 15, mass[:, 0, 0][..., 1:TEXT].sum(-1))
    assert (empty.sel(word="<prompt>") == 0).all()


def test_words_rows_are_those_of_dense_attention(run_and_exact):
    run, exact = run_and_exact
    lift, mass = run["text->video"].lift, run["text->video"].mass
    rows = exact[:, :, 0][..., [1, 6], :].mean(-2)
    close(lift.sel(word="red").isel(sample=0), rows[..., TEXT:].unflatten(-1, GRID) * (TEXT + VIDEO))
    close(mass.sel(word="red").isel(sample=0, branch=1).sel(group="pad"), rows[:, 1][..., 8:16].sum(-1))
    assert abs(mass.sel(word="red").isel(sample=0).sum("group") - 1).max() < 1e-5
    assert lift.sel(word="square").isel(sample=0).isnull().all()


def test_patches_rows_are_those_of_dense_attention(run_and_exact):
    run, exact = run_and_exact
    lift = run["video->video"].lift
    for query, (frame, y, x) in (("0,1,2", (0, 1, 2)), ("2,0,5", (2, 0, 5))):
        row = exact[..., TEXT + (frame * 2 + y) * 6 + x, TEXT:]
        close(lift.sel(query=query), row.unflatten(-1, GRID) * (TEXT + VIDEO))


def test_mass_between_frames_is_that_of_dense_attention(run_and_exact):
    run, exact = run_and_exact
    found = run["frame->frame"]
    rows = exact[..., TEXT:, :].unflatten(-2, (3, 12)).mean(-2)
    close(found.mass, rows[..., TEXT:].unflatten(-1, (3, 12)).sum(-1))
    close(found.text_mass.isel(sample=0, branch=1).sel(group="prompt"), rows[:, 1, 0][..., :7].sum(-1))
    total = found.mass.sum("key_frame") + found.text_mass.sum("group")
    assert abs(total - 1).max() < 1e-5


def test_chosen_heads_layers_steps_and_branch_are_slices_of_the_whole(by_head, tiny_pipe, generate):
    pipe = tiny_pipe()
    some = cogkit.maps("video->text", words=["red"], heads=[1], layers=-1, steps=[1], branch="uncond", dtype="float32")
    with cogkit.record(pipe, some) as rec:
        generate(pipe, prompt=PROMPTS, height=32, width=96)
    found = rec.run["video->text"].lift
    assert (
        found.layer.values.tolist() == [1]
        and found.step.values.tolist() == [1]
        and found["head"].values.tolist() == [1]
    )
    whole = by_head[0]["video->text"].lift.sel(layer=[1], step=[1], head=[1], branch=["uncond"]).sel(word=found.word)
    torch.testing.assert_close(torch.from_numpy(found.values), torch.from_numpy(whole.values), equal_nan=True)


def test_a_word_named_twice_is_one_word(pipe, generate):
    with cogkit.record(pipe, cogkit.maps("video->text", words=["red", "circle", "red"])) as rec:
        generate(pipe)
    assert rec.run["video->text"].word.values.tolist()[:3] == ["red", "circle", "<prompt>"]
    assert rec.run.word("red").dims == ("frame", "y", "x")


def test_half_precision_holds_lift_where_it_could_not_hold_a_probability(pipe, generate):
    with cogkit.record(
        pipe,
        cogkit.maps("video->text", words=["circle"]),
        cogkit.maps("video->text", words=["circle"], dtype="float32", name="full"),
    ) as rec:
        generate(pipe)
    half, full = rec.run["video->text"].lift, rec.run["full"].lift
    assert half.dtype == "float16" and (abs(half - full) <= abs(full) * 1e-3).all()


def test_a_map_of_a_word_comes_in_three_named_scales(by_mean):
    run = by_mean[0]
    lift, mass, share = (run.word("red", show).isel(sample=0) for show in ("lift", "mass", "share"))
    assert abs(mass - lift * 2 / (TEXT + VIDEO)).max() < 1e-6  # two pieces
    exact = by_mean[1][:, 1, 0].mean((0, 1))[TEXT:, [1, 6]].sum(-1).unflatten(-1, GRID)
    close(mass, exact)  # the mean over steps and layers of the branch that follows the prompt
    assert abs(share - mass / run.mass("prompt").isel(sample=0)).max() < 1e-6
    with pytest.raises(LookupError, match="'circel' was not recorded.*nearest: circle"):
        run.word("circel", "mass")
