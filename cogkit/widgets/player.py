"""Clips that play when they are asked to: muted, with controls, never by themselves, as the value of an HTML widget.

Not everybody sees a player: show a filmstrip first (cogkit.plots.filmstrips).
"""

import base64
import html
import tempfile
from collections.abc import Mapping
from pathlib import Path

import ipywidgets as widgets

from cogkit.clips import Frames, write_clip


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
        f'src="data:video/mp4;base64,{film}"></video>'
    )
