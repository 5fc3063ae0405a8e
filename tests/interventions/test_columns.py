"""Words and regions, re-weighted and knocked out, against dense attention in float64."""

import pytest
import torch

import cogkit
from cogkit.interventions.editor import InterventionError
from cogkit.recording.tokens import UnknownWord

TEXT, GRID, S, LAYERS = 16, (3, 2, 4), 40, 2
ALL = list(range(S))
FRAME = [list(range(TEXT + 8 * f, TEXT + 8 * (f + 1))) for f in range(3)]
COND, UNCOND = 1, 0  # batch rows

# intervention, and what it must be: {(step, layer, row): ...} are left out where all; factor on keys for queries
CASES = {
    "a word knocked out": (cogkit.knock_out("red"), {"keys": [1, 6], "factor": 0.0}),
    "one time of a word": (cogkit.knock_out("red#2"), {"keys": [6], "factor": 0.0}),
    "padding knocked out": (cogkit.knock_out("<pad>"), {"keys": list(range(8, 16)), "factor": 0.0}),
    "a word three times": (cogkit.reweight({"circle": 3}), {"keys": [2], "factor": 3.0}),
    "as prompt-to-prompt": (
        cogkit.reweight({"circle": -1.5}, renormalise=False),
        {"keys": [2], "factor": -1.5, "renormalise": False},
    ),
    "in one head": (cogkit.knock_out("red", heads=[1]), {"keys": [1, 6], "factor": 0.0, "heads": [1]}),
    "in one layer": (cogkit.knock_out("red", layers=-1), {"keys": [1, 6], "factor": 0.0, "layers": [1]}),
    "in one step": (cogkit.knock_out("red", steps=[1]), {"keys": [1, 6], "factor": 0.0, "steps": [1]}),
    "in a region": (
        cogkit.knock_out("red", queries=cogkit.region(frames=1)),
        {"keys": [1, 6], "factor": 0.0, "queries": FRAME[1]},
    ),
    "for other words": (
        cogkit.knock_out("red", queries=cogkit.region(words="circle")),
        {"keys": [1, 6], "factor": 0.0, "queries": [2]},
    ),
    "one frame blind to another": (
        cogkit.knock_out(cogkit.region(frames=0), queries=cogkit.region(frames=2)),
        {"keys": FRAME[0], "factor": 0.0, "queries": FRAME[2]},
    ),
    "the other branch": (
        cogkit.knock_out("<eos>", branch="uncond"),
        {"keys": [0], "factor": 0.0, "rows": [UNCOND]},
    ),
    "both branches": (
        cogkit.reweight({cogkit.region(frames=0): 0.25}, branch="both"),
        {"keys": FRAME[0], "factor": 0.25, "rows": [UNCOND, COND]},
    ),
}


def weights(keys, factor, renormalise=True, heads=(0, 1), layers=(0, 1), steps=(0, 1), rows=(COND,), queries=ALL):
    """The dense weights of a case, for `dense_attention`."""

    def of(call, shape):
        ones, changed = torch.ones(shape, dtype=torch.float64), torch.ones(shape, dtype=torch.float64)
        step, layer = divmod(call, LAYERS)
        if step in steps and layer in layers:
            for row in rows:
                for head in heads:
                    changed[row, head, torch.tensor(queries)[:, None], torch.tensor(keys)] = factor
        return (changed, ones) if renormalise else (ones, changed)

    return of


@pytest.mark.parametrize(("edit", "truth"), CASES.values(), ids=CASES)
def test_what_the_edited_run_does_is_dense_attention_with_masks(pipe, generate, dense_attention, edit, truth):
    with dense_attention(weights(**truth)):
        wanted = generate(pipe)
    with cogkit.intervene(pipe, edit), cogkit.record(pipe, cogkit.acts("blocks.*.attn.[qkvz]", branch="both")) as rec:
        found = generate(pipe)
    torch.testing.assert_close(found, wanted, atol=2e-5, rtol=1e-4)
    assert not torch.equal(found, generate(pipe))  # it does something

    q, k, v, z = (torch.from_numpy(rec.run[f"attn.{name}"].values).double() for name in "qkvz")  # step, row, layer
    for step in range(2):
        for layer in range(LAYERS):
            on_exp, on_p = weights(**truth)(step * LAYERS + layer, (2, 2, S, S))
            logits = q[step, :, layer] @ k[step, :, layer].mT / 4 + on_exp.log()
            exact = (logits.softmax(-1) * on_p) @ v[step, :, layer]
            torch.testing.assert_close(z[step, :, layer], exact, atol=1e-5, rtol=1e-4)


def test_a_recording_shows_the_attention_that_was_edited(pipe, generate):
    every = cogkit.maps("video->text", words=["red", "circle"], dtype="float32")
    with cogkit.record(pipe, every) as before:
        generate(pipe)
    with cogkit.record(pipe, every) as after, cogkit.intervene(pipe, cogkit.knock_out("red", steps=0)):
        generate(pipe)
    plain, edited = (rec.run["video->text"].lift for rec in (before, after))
    assert (plain.sel(word="red") > 0).all()
    assert (edited.sel(word="red", step=0) == 0).all() and (edited.sel(word="red", step=1) > 0).all()
    assert (edited.sel(word="circle", step=0, layer=0) > plain.sel(word="circle", step=0, layer=0)).all()


def test_a_factor_of_one_changes_no_bit(pipe, generate):
    plain = generate(pipe)
    with cogkit.intervene(pipe, cogkit.reweight({"red": 1.0}), cogkit.reweight({"circle": 1}, renormalise=False)):
        assert torch.equal(generate(pipe), plain)


def test_only_the_prompts_that_have_the_word_are_edited(pipe, generate):
    prompts = ["a red circle", "a blue square"]
    plain = generate(pipe, prompt=prompts)
    with cogkit.intervene(pipe, cogkit.knock_out("red")):
        found = generate(pipe, prompt=prompts)
    assert torch.equal(found[1], plain[1]) and not torch.allclose(found[0], plain[0], atol=1e-4)
    with cogkit.intervene(pipe, cogkit.knock_out("red"), cogkit.knock_out("square")):
        found = generate(pipe, prompt=prompts)
    assert not torch.allclose(found[1], plain[1], atol=1e-4)


def test_half_precision_keeps_what_is_not_edited(tiny_pipe, generate):
    pipe = tiny_pipe(dtype=torch.bfloat16)
    acts = cogkit.acts("blocks.0.attn.z", steps=0)
    with cogkit.record(pipe, acts) as before:
        generate(pipe)
    with cogkit.record(pipe, acts) as after:
        with cogkit.intervene(pipe, cogkit.knock_out("red", queries=cogkit.region(frames=1))):
            generate(pipe)
    same = (before.run["attn.z"] == after.run["attn.z"]).all(["head", "channel"]).squeeze().values
    assert same[[t for t in ALL if t not in FRAME[1]]].all() and not same[FRAME[1]].any()


@pytest.mark.parametrize(
    ("make", "error", "why"),
    [
        (lambda: cogkit.knock_out("rad"), UnknownWord, "no word 'rad'; nearest: red"),
        (lambda: cogkit.knock_out("<padd>"), UnknownWord, "'<padd>' is no kind of slots; there are <prompt>"),
        (lambda: cogkit.knock_out("red", branch="uncond"), UnknownWord, "no word 'red'; nearest: none, it is empty"),
        (lambda: cogkit.knock_out("<prompt>", branch="uncond"), InterventionError, "no such keys or queries"),
        (lambda: cogkit.knock_out("red", queries=cogkit.region(words="sqare")), UnknownWord, "no word 'sqare'"),
        (lambda: cogkit.knock_out("red", layers=2), LookupError, "layers=2 is out of range; there are 2: 0 to 1"),
        (lambda: cogkit.knock_out("red", heads=[5]), LookupError, "heads=5 is out of range"),
        (lambda: cogkit.knock_out("red", steps=7), LookupError, "steps=7 is out of range"),
        (lambda: cogkit.knock_out("red", branch="conditional"), InterventionError, "unknown; nearest: cond"),
        (lambda: cogkit.knock_out("red", queries="video"), InterventionError, "write cogkit.region"),
        (lambda: cogkit.knock_out(3), InterventionError, "3 is neither a word nor a region"),
        (lambda: cogkit.knock_out(), InterventionError, "nothing to reweight"),
        (lambda: cogkit.reweight({"red": -1}), InterventionError, "or renormalise=False"),
        (lambda: cogkit.reweight({"red": float("nan")}), InterventionError, "give a number >= 0"),
    ],
)
def test_what_cannot_be_is_refused_with_the_way_out(pipe, generate, make, error, why):
    with pytest.raises(error, match=why), cogkit.intervene(pipe, make()):
        generate(pipe)
