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
import numpy as np
from diffusers import CogVideoXPipeline
from jaxtyping import Float, UInt8

from cogkit.clips import filmstrip, write_clip
from cogkit.generation import Generation, decode
from cogkit.world.judge import read_video
from cogkit.world.vocabulary import FPS

ROWS = 8  # steps that the page decodes


class OutputError(ValueError):
    """A folder that cannot be written."""


def check_output(folder: Path) -> None:
    """Refuse, before any work, a folder that cannot be made or that is not ours to replace."""
    if folder.is_file():
        raise OutputError(f"{folder} is a file; give a folder")
    if folder.exists() and any(folder.iterdir()) and not (folder / "settings.json").exists():
        raise OutputError(f"{folder} holds something else; give a new or empty folder")
    parent = folder.resolve()
    while not parent.exists():
        parent = parent.parent
    if not os.access(parent, os.W_OK) or not parent.is_dir():
        raise OutputError(f"{folder} cannot be written: no permission in {parent}; give another folder")


def write_run(folder: Path, generation: Generation, pipe: CogVideoXPipeline) -> Path:
    """Write video.mp4, filmstrip.png, trajectory.zarr, settings.json and index.html; returns the page.

    Everything is written beside and moved into place at the end: the folder is whole or not there.
    """
    check_output(folder)
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
    trajectory = generation.trajectory
    chosen = sorted({round(k) for k in np.linspace(0, len(trajectory.x0) - 1, ROWS)})
    rows = [
        {
            "step": k,
            "train_timestep": trajectory.train_timesteps[k],
            "latents": _png(latent_picture(trajectory.latents[k].numpy())),
            "x0": _png(filmstrip(decode(pipe, trajectory.x0[k]), columns=5)),
        }
        for k in chosen
    ]
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(
        (Path(__file__).parent / "page.html").read_text()
    )
    return template.render(
        settings=generation.settings,
        seconds=generation.seconds,
        unknown=generation.unknown_words,
        reading=read_video(generation.frames),
        video=base64.b64encode(mp4).decode(),
        filmstrip=_png(filmstrip(generation.frames)),
        rows=rows,
        fps=FPS,
    )


def latent_picture(latents: Float[np.ndarray, "t c h w"]) -> UInt8[np.ndarray, "H W 3"]:
    """(t, c, h, w) -> the latent frames side by side, their three strongest directions as red, green and blue."""
    t, c, h, w = latents.shape
    flat = latents.transpose(0, 2, 3, 1).reshape(-1, c)
    flat = flat - flat.mean(0)
    _, directions = np.linalg.eigh(flat.T @ flat)
    three = flat @ directions[:, ::-1][:, :3]
    three = 0.5 + three / (5 * three.std(0) + 1e-6)
    picture = (three.clip(0, 1) * 255).astype(np.uint8).reshape(t, h, w, 3)
    return filmstrip(picture.repeat(4, 1).repeat(4, 2), columns=t)


def _png(picture: np.ndarray) -> str:
    return base64.b64encode(mediapy.compress_image(picture)).decode()
