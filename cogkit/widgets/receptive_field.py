"""Drag a frame through a clip: what changes with it, or what it knows of, through encoder and decoder."""

from functools import partial

import numpy as np

from cogkit.plots.figure import Picture
from cogkit.plots.timeline import frame_reach, named_run
from cogkit.reach import chunk_of, decoder_reach, encoder_reach
from cogkit.shapes import check_frames, latent_frames
from cogkit.widgets.controls import choice, slider
from cogkit.widgets.picture import Explorer

WAYS = {"what changes with this frame": True, "what this frame knows of": False}
NORMS = {"as trained: one mean a chunk": True, "norms frozen": False}


def look(frame: int, forwards: bool, norms: bool, frames: int = 49) -> tuple[Picture, str]:
    """The frames that `frame` of the clip touches, or (not `forwards`) that touch `frame` of what comes back."""
    into = encoder_reach(frames, norms=norms)  # (latent, frame)
    back = decoder_reach(len(into), norms=norms)  # (frame, latent)
    if forwards:
        latents = into[:, frame]
        before, after = np.arange(frames) == frame, back[:, latents].any(1)
    else:
        latents = back[frame]
        before, after = into[latents].any(0), np.arange(frames) == frame
    others = after if forwards else before
    chunks = chunk_of(np.arange(frames))
    borders = np.flatnonzero(np.diff(chunks)) + 1
    title = "" if norms else "Norms frozen. "
    if forwards:
        title += f"Change frame {frame}: latent frames {named_run(latents)} move"
    else:
        title += f"Frame {frame} comes back from latent frames {named_run(latents)}"
    figure = frame_reach(before, latents, after, frame, forwards, borders.tolist(), title)
    wrong = int(others[:frame].sum() if forwards else others[frame + 1 :].sum())
    way = "Earlier frames that come out different" if forwards else "Later frames that it knows of"
    readout = (
        f"Frame {frame} lies in chunk {chunks[frame]} and latent frame {latent_frames(frame + 4) - 1}. It "
        f"{'changes' if forwards else 'knows of'} {int(latents.sum())} of {len(latents)} latent frames and "
        f"{int(others.sum())} of {frames} frames {'that come back' if forwards else 'of the clip'}. "
        f"{way}: {wrong}{', so this is not causal' if wrong else ''}."
    )
    return figure, readout


class ReceptiveFieldExplorer(Explorer):
    """Follows from the layers of the VAE, not from weights: `cogkit/reach.py`. Raises SizeError unless 8k + 1."""

    def __init__(self, frames: int = 49):
        check_frames(frames)
        super().__init__(
            partial(look, frames=frames),
            frame=slider("frame", 0, frames - 1, min(8, frames - 1)),
            forwards=choice("show", WAYS, True),
            norms=choice("GroupNorm", NORMS, True),
        )
