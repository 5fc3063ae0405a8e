"""What the README says of Python is run as a reader runs it, and gives what its comments say."""

import re
from pathlib import Path

import numpy as np
import pytest

PAGE = (Path(__file__).parents[1] / "README.md").read_text()
(BLOCK,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def names(executed, tmp_path_factory):
    names, folder = {}, tmp_path_factory.mktemp("reader")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # it saves a picture
        executed(BLOCK, names)
    return names | {"folder": folder}


def test_the_block_gives_what_its_comments_say(names):
    run, held = names["run"], names["run"].trajectory.dataset()
    assert f"# {run.frames.shape} {run.frames.dtype}" in BLOCK
    assert {"latents", "x0"} <= set(held) and f"by {', '.join(held.x0.dims)}\n" in BLOCK
    assert (names["folder"] / "circle.png").stat().st_size > 10_000


def test_the_recorded_clip_is_the_same_and_the_edited_one_is_not(names):
    clip, other = (np.stack(names[name]).astype(int) for name in ("clip", "other"))
    assert abs(clip - names["run"].frames).max() <= 1  # rounded by another hand
    assert abs(other - clip).max() > 50


def test_what_leaves_each_stage_is_as_in_the_table(names):
    run, looked = names["run"], names["rec"].run
    shape = names["rec"].run.word("circle").shape
    text, video = looked.notes["tokens"] - np.prod(shape), np.prod(shape)
    assert f"| {text} text tokens |" in PAGE and f"| {video} video tokens for {len(run.frames)} frames" in PAGE
    latents = run.trajectory.latents
    assert f"| sampler, {len(latents)} steps | latents, {' x '.join(map(str, latents[0].shape))} |" in PAGE
