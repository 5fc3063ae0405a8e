"""A generation -> a folder that anyone can open: the video, a filmstrip, the trajectory, a self-contained page."""

import base64
import json
import os
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path

import jinja2
import mediapy
from diffusers import CogVideoXPipeline

from cogkit.clips import Frames, filmstrip, write_clip
from cogkit.generation import Generation
from cogkit.plots.words import word_video
from cogkit.report import NEEDED, sections, word_of_interest
from cogkit.world.judge import read_video
from cogkit.world.vocabulary import FPS

OURS = ("settings.json", "trajectory.zarr", "index.html")  # a folder with all of these is a run, and may be replaced


class OutputError(ValueError):
    """A folder that cannot be written, or a run that is not what the page shows."""


def check_output(folder: Path) -> None:
    """Refuse, before any work, a folder that cannot be made or that is not ours to replace."""
    if folder.is_file():
        raise OutputError(f"{folder} is a file; give a folder")
    if folder.exists() and any(folder.iterdir()) and not all((folder / name).exists() for name in OURS):
        raise OutputError(f"{folder} holds something else; give a new or empty folder")
    parent = folder.resolve()
    while not parent.exists():
        parent = parent.parent
    if not os.access(parent, os.W_OK) or not parent.is_dir():
        raise OutputError(f"{folder} cannot be written: no permission in {parent}; give another folder")


def write_run(folder: Path, generation: Generation, pipe: CogVideoXPipeline) -> Path:
    """Write video.mp4, filmstrip.png, trajectory.zarr, settings.json and index.html; returns the page.

    The page needs what `cogkit.report.looks` records. Everything is written beside and moved into place at the end: the
    folder is whole or not there. Raises OutputError.
    """
    check_output(folder)
    if missing := [name for name in NEEDED if name not in generation.run]:
        raise OutputError(
            f"the page shows {missing[0]!r}, which was not recorded; generate(pipe, settings, *looks(pipe, settings))"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".writing-") as name:
        draft = Path(name) / "run"
        draft.mkdir()
        write_clip(draft / "video.mp4", generation.frames, fps=FPS)
        mediapy.write_image(str(draft / "filmstrip.png"), filmstrip(generation.frames))
        generation.trajectory.dataset().to_zarr(draft / "trajectory.zarr", zarr_format=3, consolidated=False)
        (draft / "settings.json").write_text(json.dumps(asdict(generation.settings), indent=2) + "\n")
        (draft / "index.html").write_text(_page(generation, pipe, (draft / "video.mp4").read_bytes()))
        if folder.exists():
            shutil.rmtree(folder)
        draft.rename(folder)
    return folder / "index.html"


def _page(generation: Generation, pipe: CogVideoXPipeline, mp4: bytes) -> str:
    word = word_of_interest(pipe, generation.settings.prompt)
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(
        (Path(__file__).parent / "page.html").read_text()
    )
    return template.render(
        settings=generation.settings,
        seconds=generation.seconds,
        unknown=generation.unknown_words,
        reading=read_video(generation.frames),
        video=_encoded(mp4),
        filmstrip=_encoded(mediapy.compress_image(filmstrip(generation.frames))),
        word=word,
        word_video=_encoded(_mp4(word_video(generation.run, word, generation.frames))),
        sections=sections(generation, pipe),
        fps=FPS,
    )


def _mp4(frames: Frames) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        write_clip(Path(folder) / "clip.mp4", frames, fps=FPS)
        return (Path(folder) / "clip.mp4").read_bytes()


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
