"""The command line: the main job, and what it answers to bad input."""

import json
import os
import re

import pytest
import xarray as xr

from cogkit.__main__ import main
from cogkit.clips import read_clip

QUICK = ["--frames", "9", "--height", "64", "--width", "64", "--steps", "2", "--dtype", "float32"]


def test_a_prompt_becomes_a_folder_with_video_filmstrip_trajectory_and_page(tmp_path, capsys):
    out = tmp_path / "deep" / "run"
    assert main(["generate", "a red circle moving right", "--seed", "3", "--out", str(out), *QUICK]) == 0
    said = capsys.readouterr().out
    assert said.index("about") < said.index("done") and "9 frames of 64x64, 2 steps" in said
    assert read_clip(out / "video.mp4").shape == (9, 64, 64, 3)
    assert xr.open_zarr(out / "trajectory.zarr", consolidated=False).latents.shape == (2, 3, 16, 8, 8)
    assert json.loads((out / "settings.json").read_text())["seed"] == 3
    page = (out / "index.html").read_text()
    assert "<video" in page and not re.search(r'(src|href)="(?!data:)', page)
    assert {path.name for path in out.iterdir()} == {
        "video.mp4",
        "filmstrip.png",
        "trajectory.zarr",
        "settings.json",
        "index.html",
    }
    assert [path.name for path in out.parent.iterdir()] == ["run"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["a red circle", "--frames", "16"], "frames=16 does not fit"),
        (["a red circle", "--height", "100"], "height=100 does not fit"),
        (["a red circle", "--steps", "30"], "steps=30 does not divide 1000"),
        ([""], "is empty"),
        (["red " * 400], "text slots; shorten it"),
        (["a red circle", "--checkpoint", "./nowhere"], "there is no checkpoint folder nowhere"),
    ],
)
def test_bad_input_gets_one_sentence_and_leaves_nothing(tmp_path, capsys, arguments, sentence):
    out = tmp_path / "run"
    assert main(["generate", *arguments, "--out", str(out), "--dtype", "float32"]) == 2
    err = capsys.readouterr().err
    assert sentence in err and err.count("\n") == 1 and not out.exists() and not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["thesis.txt", "settings.json"])  # editors have settings.json too
def test_a_folder_with_other_things_in_it_is_not_touched(tmp_path, capsys, name):
    (tmp_path / name).write_text("dear")
    assert main(["generate", "a red circle", "--out", str(tmp_path), *QUICK]) == 2
    assert "holds something else" in capsys.readouterr().err and (tmp_path / name).read_text() == "dear"


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path, capsys):
    (tmp_path / "run").write_text("")
    assert main(["generate", "a red circle", "--out", str(tmp_path / "run"), *QUICK]) == 2
    assert "is a file; give a folder" in capsys.readouterr().err


@pytest.mark.parametrize("below", ["file/run", "file/deeper/run"])
def test_a_folder_below_a_file_is_refused(tmp_path, capsys, below):
    (tmp_path / "file").write_text("")
    assert main(["generate", "a red circle", "--out", str(tmp_path / below), *QUICK]) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path, capsys):
    tmp_path.chmod(0o500)
    assert main(["generate", "a red circle", "--out", str(tmp_path / "run"), *QUICK]) == 2
    assert "no permission" in capsys.readouterr().err


def test_unknown_words_are_named_before_the_work_and_on_the_page(tmp_path, capsys):
    assert main(["generate", "a red helicopter", "--out", str(tmp_path / "run"), *QUICK]) == 0
    assert "never seen: helicopter" in capsys.readouterr().out
    assert "helicopter" in (tmp_path / "run" / "index.html").read_text()
