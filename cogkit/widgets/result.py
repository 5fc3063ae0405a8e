"""A finished run as HTML: the filmstrip, what was asked and what the judge sees, and a player."""

import base64
import html

import mediapy

from cogkit.clips import filmstrip
from cogkit.generation import Generation
from cogkit.widgets.player import together_html, video_html
from cogkit.world.captions import told
from cogkit.world.judge import read_video
from cogkit.world.vocabulary import FPS


def result_html(made: Generation, pinned: Generation | None = None) -> str:
    """Readable without the player: a browser that hides videos still shows the frames.

    Another run that is pinned plays beside this one, in the same player.
    """
    settings, seen = made.settings, told(read_video(made.frames))
    asked = [("you asked for", settings.prompt)]
    if settings.negative_prompt:
        asked.append(("and not for", settings.negative_prompt))
    if made.unknown_words:
        asked.append(("words it has never seen", ", ".join(made.unknown_words)))
    quiet = "text-align: left; padding-right: 1em; font-weight: normal; color: #555"
    rows = "".join(
        f'<tr><th scope="row" style="{quiet}">{name}</th><td style="text-align: left">{html.escape(value)}</td></tr>'
        for name, value in [*asked, ("the judge sees", seen)]
    )
    strip = base64.b64encode(mediapy.compress_image(filmstrip(made.frames))).decode()
    alt = f"Frames of the video, evenly chosen from {len(made.frames)}. The judge sees {seen}."
    if pinned is None or pinned is made:
        player = video_html(made.frames, settings.prompt, FPS)
    else:
        there = told(read_video(pinned.frames))
        label = f"Left, the pinned run: the judge sees {there}. Right, this run: it sees {seen}."
        player = together_html({"pinned": pinned.frames, "this run": made.frames}, label, FPS)
    return (
        f'<img src="data:image/png;base64,{strip}" alt="{html.escape(alt)}" style="max-width: 100%">'
        f'<table style="line-height: 1.6; margin: 0.4em 0">{rows}</table>'
        f"{player}"
        f'<p style="color: #555">{len(made.frames)} frames, {settings.steps} steps, seed {settings.seed}: '
        f"{made.seconds:.0f} seconds.</p>"
    )
