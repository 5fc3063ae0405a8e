"""Clips that play when they are asked to: muted, with controls, never by themselves, as the value of an HTML widget.

Not everybody sees a player: show a filmstrip first (cogkit.plots.filmstrips).
"""

import base64
import html
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import ipywidgets as widgets
import numpy as np

from cogkit.clips import Frames, write_clip

GAP = 8  # pixels of white behind every clip in a film of several


class Player(widgets.HTML):
    """Player({"one": frames, "other": frames}, fps=8): clips side by side, each under its name.

    `width` is that of every player in pixels, whatever the size of the frames.
    """

    def __init__(self, clips: Mapping[str, Frames], fps: int | float = 8, width: int = 256):
        self.names = list(clips)
        figures = "".join(
            f'<figure style="margin: 0">{video_html(frames, name, fps, width)}'
            f"<figcaption>{html.escape(name)}</figcaption></figure>"
            for name, frames in clips.items()
        )
        super().__init__(f'<div style="display: flex; flex-wrap: wrap; gap: 1em">{figures}</div>')

    def __repr__(self) -> str:
        """What a saved notebook says in the players' place; the same in every run."""
        return f"Run this cell to play: {', '.join(self.names)}"


def video_html(frames: Frames, label: str, fps: int | float = 8, width: int = 256) -> str:
    """A <video> that holds its film itself; `label` is what is read aloud in its place."""
    with tempfile.TemporaryDirectory() as folder:
        write_clip(Path(folder) / "clip.mp4", frames, fps=fps)
        film = base64.b64encode((Path(folder) / "clip.mp4").read_bytes()).decode()
    return (
        f'<video controls muted loop playsinline width="{width}" aria-label="{html.escape(label)}" '
        f'style="max-width: 100%" src="data:video/mp4;base64,{film}"></video>'
    )


def together_html(clips: Mapping[str, Frames], label: str, fps: int | float = 8, width: int = 256) -> str:
    """Clips as one film, each above its name: whatever is pressed, they are at the same frame. `width` is of each."""
    whole = width * len(clips)
    film = video_html(beside([*clips.values()]), label, fps, whole)
    names = "".join(f"<span>{html.escape(name)}</span>" for name in clips)
    columns = "display: grid; grid-auto-flow: column; grid-auto-columns: 1fr"
    return (
        f'<figure style="margin: 0; width: min({whole}px, 100%)">{film}'
        f'<figcaption style="{columns}">{names}</figcaption></figure>'
    )


def beside(clips: Sequence[np.ndarray]) -> np.ndarray:
    """One clip of several, on white where one is smaller; a shorter one stays at its last frame."""
    frames, height, width = np.max([clip.shape[:3] for clip in clips], axis=0)
    filled = []
    for clip in clips:
        lasting = np.pad(clip, ((0, frames - clip.shape[0]), (0, 0), (0, 0), (0, 0)), "edge")
        margins = (0, 0), (0, height - clip.shape[1]), (0, width - clip.shape[2] + GAP), (0, 0)
        filled.append(np.pad(lasting, margins, constant_values=255))
    return np.concatenate(filled, axis=2)
