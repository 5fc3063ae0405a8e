"""Columns of another run: in full they are that run's columns, everywhere else nothing changes."""

import pytest
import torch

import cogkit
from cogkit.interventions.editor import InterventionError
from cogkit.recording.points import UnknownPoint
from cogkit.recording.runs import RunError
from cogkit.recording.tokens import UnknownWord

TEXT, S = 16, 40
EXACT = cogkit.maps("video->text", heads="each", dtype="float32", branch="both")
SEES = (EXACT, cogkit.acts("blocks.*.attn.[qkvz]", branch="both"))
OTHER = "a blue circle growing"  # a 0, blue 1, circle 2, growing 3
COND = 1  # batch row


@pytest.fixture(scope="module")
def there(pipe, generate):
    return recorded(pipe, generate, seed=3, prompt=OTHER)


def recorded(pipe, generate, *edits, **call):
    with cogkit.record(pipe, *SEES) as rec, cogkit.intervene(pipe, *edits):
        generate(pipe, **call)
    return rec.run


def attention(run, step, layer):
    """P of the kernel, before any edit, and z, of both branches in float64."""
    q, k, v, z = (torch.from_numpy(run[f"attn.{name}"].values[step, :, layer]).double() for name in "qkvz")
    return (q @ k.mT / 4).softmax(-1), v, z


CASES = {
    "one word": ({"words": "circle"}, [2]),
    "a word for another": ({"words": {"red#1": "blue"}}, [1]),
    "two words": ({"words": {"circle": "circle", "red#1": "blue"}}, [1, 2]),
    "not renormalised": ({"words": "circle", "renormalise": False}, [2]),
    "in one head": ({"words": "circle", "heads": [1]}, [2]),
    "in a region": ({"words": "circle", "queries": cogkit.region(frames=1)}, [2]),
}


@pytest.mark.parametrize(("how", "slots"), CASES.values(), ids=CASES)
def test_the_output_is_that_of_dense_attention_with_the_other_run_s_columns(pipe, generate, there, how, slots):
    run = recorded(pipe, generate, cogkit.inject(**how, from_=there))
    words = how["words"] if isinstance(how["words"], dict) else {how["words"]: how["words"]}
    by_slot = {2: "circle", 1: words.get("red#1")}
    for step in range(2):
        for layer in range(2):
            p, v, z = attention(run, step, layer)
            wanted = p.clone()
            for head in how.get("heads", [0, 1]):
                frames = [1] if "queries" in how else [0, 1, 2]
                for token in [TEXT + 8 * f + n for f in frames for n in range(8)]:
                    row = wanted[COND, head, token]
                    mass = there["video->text"].lift.sel(step=step, layer=layer, head=head, branch="cond")
                    at = token - TEXT
                    place = {"frame": at // 8, "y": at // 4 % 2, "x": at % 4}
                    for slot in slots:
                        row[slot] = float(mass.sel(word=by_slot[slot]).isel(place)) / S
                    if how.get("renormalise", True):
                        rest = [key for key in range(S) if key not in slots]
                        row[rest] *= (1 - row[slots].sum()) / row[rest].sum()
            torch.testing.assert_close(z, wanted @ v, atol=2e-5, rtol=1e-4)
            assert not torch.allclose(p, wanted, atol=1e-4)  # it does something


def test_a_recording_sees_the_injected_columns_also_of_a_word_of_several_pieces(pipe, generate, there):
    words = {"red": "blue", "<pad>": "<pad>"}  # "red" stands at two places, padding at eight
    found = recorded(pipe, generate, cogkit.inject(words, from_=there))
    for here, other in words.items():
        mass = [
            run["video->text"].lift.sel(word=word, branch="cond") * float(run.pieces().sel(word=word, branch="cond"))
            for run, word in ((found, here), (there, other))
        ]
        torch.testing.assert_close(*(torch.from_numpy(m.values) for m in mass), atol=1e-4, rtol=1e-3)


def test_a_run_s_own_columns_change_nothing(pipe, generate):
    plain = generate(pipe)
    with cogkit.record(pipe, EXACT) as rec:
        generate(pipe)
    for renormalise in (True, False):
        every = ["red", "circle", "<eos>", "<pad>"]
        with cogkit.intervene(pipe, cogkit.inject(every, from_=rec.run, renormalise=renormalise, branch="cond")):
            torch.testing.assert_close(generate(pipe), plain, atol=2e-4, rtol=1e-3)


def test_the_later_of_two_injections_has_the_word_and_a_reweighting_comes_on_top(pipe, generate, there):
    with cogkit.record(pipe, EXACT) as rec:
        generate(pipe, seed=7)
    last = cogkit.inject("circle", from_=there, steps=0, layers=0)
    first = cogkit.inject("circle", from_=rec.run, steps=0, layers=0)

    def first_call(*edits):
        return torch.from_numpy(recorded(pipe, generate, *edits)["attn.z"].values[0, :, 0])

    torch.testing.assert_close(first_call(first, last), first_call(last), atol=1e-5, rtol=1e-4)
    gone = cogkit.knock_out("circle", queries=cogkit.region(frames="all"), steps=0, layers=0)
    torch.testing.assert_close(first_call(last, gone), first_call(gone), atol=1e-5, rtol=1e-4)


def test_a_word_s_values_are_patched_where_its_slot_is(pipe, generate):
    acts = cogkit.acts("blocks.0.attn.[vz]", branch="cond")
    with cogkit.record(pipe, acts) as rec:
        generate(pipe, prompt=OTHER)
    edit = cogkit.patch("blocks.0.attn.v", from_=rec.run, tokens=cogkit.region(words="circle"))
    with cogkit.record(pipe, acts) as plain:
        generate(pipe)
    with cogkit.record(pipe, acts) as found, cogkit.intervene(pipe, edit):
        generate(pipe)
    before, after, other = (r.run["attn.v"].sel(step=0).isel(layer=0) for r in (plain, found, rec))
    assert after.sel(token=2).equals(other.sel(token=2)) and not after.sel(token=2).equals(before.sel(token=2))
    rest = [token for token in range(S) if token != 2]
    assert after.sel(token=rest).equals(before.sel(token=rest))
    assert not found.run["attn.z"].equals(plain.run["attn.z"])


def test_samples_get_their_own_columns_or_the_chosen_one_s(pipe, generate):
    prompts = ["a red circle", "a blue circle"]
    two = recorded(pipe, generate, seed=3, prompt=prompts)
    mine = {"step": 0, "layer": 0, "branch": "cond", "word": "circle"}

    def injected(**more):
        run = recorded(pipe, generate, cogkit.inject("circle", from_=two, **more), prompt=prompts)
        return torch.from_numpy(run["video->text"].lift.sel(mine).values)

    source = torch.from_numpy(two["video->text"].lift.sel(mine).values)
    torch.testing.assert_close(injected(), source, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(injected(from_sample=1), source[[1, 1]], atol=1e-4, rtol=1e-3)
    with pytest.raises(InterventionError, match="sample 1 has not all of these words"):
        injected_red = cogkit.inject({"circle": "red"}, from_=two, from_sample=1)
        recorded(pipe, generate, injected_red, prompt=prompts)


@pytest.mark.parametrize(
    ("make", "error", "why"),
    [
        (lambda run: cogkit.inject("rad", from_=run), UnknownWord, "no word 'rad'; nearest: red"),
        (lambda run: cogkit.inject({"red": "bleu"}, from_=run), InterventionError, r"with word .*'blue'.*, not with"),
        (lambda run: cogkit.inject((), from_=run), InterventionError, "nothing to inject"),
        (lambda run: cogkit.inject("circle", from_=None), InterventionError, "from_ is missing"),
        (
            lambda run: cogkit.inject("circle", from_=run, relation="text->video"),
            RunError,
            "nothing was recorded as 'text->video'; nearest: video->text",
        ),
        (lambda run: cogkit.inject("circle", from_=run, relation="attn.z"), InterventionError, "no columns of words"),
        (lambda run: cogkit.inject("circle", from_=run, layers=4), UnknownPoint, "there are 2: 0 to 1"),
        (lambda run: cogkit.inject("circle", from_=run, queries="video"), InterventionError, "a region without words"),
        (
            lambda run: (
                cogkit.inject(["circle", "<prompt>"], from_=run) if "<prompt>" in run["video->text"].word else 0
            ),
            InterventionError,
            "share slots",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_the_way_out(pipe, generate, there, make, error, why):
    with pytest.raises(error, match=why), cogkit.intervene(pipe, make(there)):
        generate(pipe)


@pytest.mark.parametrize(
    ("selector", "call", "why"),
    [
        (cogkit.maps("video->text"), {}, "a mean over heads; record maps.*heads='each'"),
        (cogkit.maps("video->text", heads=[0]), {}, r"with head \[0\], not with \[1\]"),
        (cogkit.maps("video->text", heads="each", steps=0), {}, r"with step \[0\], not with \[1\]"),
        (cogkit.maps("video->text", heads="each"), {"height": 64}, "token grid is .3, 4, 4., this one's .3, 2, 4."),
    ],
)
def test_a_run_that_does_not_hold_the_columns_is_refused(pipe, generate, selector, call, why):
    with cogkit.record(pipe, selector) as rec:
        generate(pipe, **call)
    with pytest.raises(InterventionError, match=why), cogkit.intervene(pipe, cogkit.inject("circle", from_=rec.run)):
        generate(pipe)
