"""The study at its smallest, on random weights: what is measured is only the machinery."""

import numpy as np
import pytest

from cogkit.localisation import study as studied
from cogkit.localisation.report import results
from cogkit.localisation.study import study
from cogkit.recording.recipes import PREFERRED
from cogkit.world.judge import Reading, Sighting


@pytest.fixture
def tiny_study(tiny_pipe, monkeypatch, tmp_path):
    """study(clips, pairs) in a world of 9 frames of 64 x 64, two steps and two noise levels."""
    small = {"FRAMES": 9, "SIZE": 64, "STEPS": 2, "LEVELS": (999, 599)}
    for name, value in small.items():
        monkeypatch.setattr(studied, name, value)
    pipe = tiny_pipe(max_text_seq_length=32)
    return lambda clips, pairs: study(pipe, clips, pairs, tmp_path / "rows.jsonl")


def test_rows_are_measured_once_and_the_rest_is_gone_on_with(tiny_study, monkeypatch, tmp_path):
    seen = Reading((Sighting("red", "star", "left", 0.2, 0.5, 0.5),), "gray")
    mask = np.zeros((9, 64, 64), bool)
    mask[:, 16:32, 16:48] = True
    monkeypatch.setattr(studied, "read_video", lambda frames: seen)
    monkeypatch.setattr(studied, "segment", lambda frames, colour: mask)
    first = tiny_study(1, 1)
    assert {row["kind"] for row in first} == {"generated", "noised", "noised, two objects"}
    drawn = next(row for row in first if row["kind"] == "generated")
    assert drawn["seen"] == [["red", "star"]] and drawn["tokens"] == 6 and drawn["timesteps"] == [999, 499]
    assert np.shape(drawn["calls"]["share"]) == (2, 2, 2)

    for kind in ("generated", "noised", "two_objects"):  # what is there is not measured again
        monkeypatch.setattr(studied, kind, lambda pipe, clip, kind=kind: {"measured anew": clip})
    second = tiny_study(2, 1)
    assert [row for row in second if "measured anew" not in row] == first
    assert sum(row.get("measured anew") == 1 for row in second) == 2  # a generated and a noised one

    page = results(first)
    assert f"| {PREFERRED[0]} (default)" in page and "Faithfulness" in page and "nan" not in page


def test_a_clip_that_shows_nothing_has_a_row_without_scores(tiny_study, monkeypatch):
    monkeypatch.setattr(studied, "read_video", lambda frames: Reading((), "gray"))
    monkeypatch.setattr(studied, "noised", lambda pipe, clip: {})
    (row,) = (row for row in tiny_study(1, 0) if row["kind"] == "generated")
    assert row["seen"] == [] and "shape" not in row


def test_when_another_recipe_is_preferred_the_cut_is_made_again(tiny_study, monkeypatch):
    calls = []
    name = studied._preferred()

    def noised(pipe, clip):
        calls.append(clip)
        return {"shape": {name: [0.5]}, "cut by": studied._preferred()}

    monkeypatch.setattr(studied, "noised", noised)
    monkeypatch.setattr(studied, "generated", lambda pipe, clip: {})
    tiny_study(1, 0), tiny_study(1, 0)
    assert calls == [0]
    monkeypatch.setattr(studied, "_preferred", lambda: "another")
    tiny_study(1, 0)
    assert calls == [0, 0]
