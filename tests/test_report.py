import html
import re

import matplotlib

matplotlib.use("agg")

import numpy as np
import pytest

from cogkit import report
from cogkit.generation import Settings, estimate_seconds, generate
from cogkit.page import OutputError, write_run
from cogkit.recording.concepts import Concepts

SHORT = Settings("a red circle moving right on a gray background", frames=9, height=64, width=64, steps=2, seed=3)


@pytest.fixture(scope="module")
def generation(nano):
    return generate(nano, SHORT, *report.looks(nano, SHORT))


def test_the_video_is_the_same_to_the_bit_whatever_the_report_looks_at(nano, generation):
    assert (generate(nano, SHORT).frames == generation.frames).all()


def test_the_report_records_words_frames_gates_and_the_trajectory_in_one_run(generation):
    run = generation.run
    assert run["video->text"].word.values[:5].tolist() == ["red", "circle", "moving", "right", "gray"]
    assert run["concepts"].word.values.tolist() == ["circle", "background"]
    assert run["frame->frame"].sizes["head"] == 4 and run["frame->frame"].step.values.tolist() == [0]
    assert {"adaln1.gate.video", "adaln2.gate.text", "trajectory"} <= set(list(run))


def test_words_are_mapped_as_the_sentences_say(nano, generation):
    pictures = report.sections(generation, nano)[0].pictures
    scales = [picture.axes[-1].get_xlabel() for picture in pictures]
    assert [scale.split(" ")[0] for scale in scales] == ["share", "paid", "share"] and "concepts" in scales[2]
    assert "“circle”" in pictures[2].get_suptitle()
    assert generation.run.word("circle").attrs["recipe"].startswith("concepts")  # what the page plays


def test_every_section_has_pictures_with_a_sentence_and_a_table(nano, generation):
    found = report.sections(generation, nano)
    pictures = [picture for section in found for picture in section.pictures]
    assert len(pictures) == report.FIGURES and len({picture.alt for picture in pictures}) == report.FIGURES
    for picture in pictures:
        assert len(picture.alt) > 60 and picture.table.count("\n") >= 2 and picture.get_suptitle(), picture.alt
    assert all(section.heading and section.note.endswith(".") for section in found)


def test_the_page_holds_every_picture_its_alt_text_and_its_table(nano, generation, tmp_path):
    page = write_run(tmp_path / "run", generation, nano).read_text()
    figures = re.findall(r'<img class="plot" alt="([^"]{60,})" src="data:image/png;base64,', page)
    assert len(figures) == report.FIGURES == page.count("<pre>")
    assert "“circle”, frame by frame" in page and page.count('src="data:video/mp4;base64,') == 2
    assert not re.search(r'(src|href)="(?!data:)', page) and len(page) < 1_500_000


@pytest.mark.parametrize(
    ("prompt", "mapped", "played"),
    [
        ("a small blue star on a striped background", ["small", "blue", "star", "striped", "background"], "star"),
        ("red", ["red"], "red"),
        ("on a", ["on", "a"], "on"),
        ("background is blue", ["background", "blue"], "blue"),
        ("helicopter", ["<unk>"], "<unk>"),
    ],
)
def test_the_words_that_get_a_map_are_those_that_say_something(nano, prompt, mapped, played):
    assert report.words_to_map(nano, prompt) == mapped and report.word_of_interest(nano, prompt) == played


@pytest.mark.parametrize("recorded", ["all that the report looks at", "what an explorer records"])
@pytest.mark.parametrize("prompt", ["helicopter zebra", "background"])
def test_a_prompt_of_words_that_are_no_concept_can_be_reported(nano, recwarn, tmp_path, prompt, recorded):
    strange = Settings(prompt, frames=9, height=64, width=64, steps=2)
    looks = report.looks(nano, strange)
    if recorded == "what an explorer records":
        looks = [selector for selector in looks if not isinstance(selector, Concepts)]
    found = generate(nano, strange, *looks)
    page = write_run(tmp_path / "run", found, nano).read_text()
    assert np.isfinite(found.run.word(report.word_of_interest(nano, prompt))).all()
    assert ("“circle” and “background”" in html.unescape(page)) == ("concepts" in found.run)


def test_the_estimate_counts_what_is_recorded_and_what_is_drawn(nano, monkeypatch):
    """A clock on which every call of the transformer takes a second, every decoding ten, every picture three."""
    clock = [0.0]

    def slow(function, seconds):
        def slower(*args, **kwargs):
            clock[0] += seconds
            return function(*args, **kwargs)

        return slower

    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr(nano.vae, "decode", slow(nano.vae.decode, 10))
    monkeypatch.setattr(report, "png", slow(report.png, 3))
    handle = nano.transformer.register_forward_pre_hook(lambda *_: clock.__setitem__(0, clock[0] + 1))
    seen = []
    monkeypatch.setattr("cogkit.generation.record", _noting(seen))
    try:
        looks = report.looks(nano, SHORT)
        assert estimate_seconds(nano, SHORT, *looks) == 1 * SHORT.steps + 10
        assert all(len(selectors) == 1 + len(looks) for selectors in seen)
    finally:
        handle.remove()
    assert report.estimate_report_seconds() == 3 * report.FIGURES * report.LABOUR


def _noting(seen):
    from cogkit.recording.record import record

    def noting(pipe, *selectors):
        seen.append(selectors)
        return record(pipe, *selectors)

    return noting


def test_a_run_without_what_the_page_shows_is_refused_before_anything_is_written(nano, tmp_path):
    plain = generate(nano, SHORT)
    with pytest.raises(OutputError, match=r"'video->text', which was not recorded; generate\(pipe, settings, \*looks"):
        write_run(tmp_path / "run", plain, nano)
    assert not list(tmp_path.iterdir())
