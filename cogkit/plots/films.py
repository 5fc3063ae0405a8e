"""Clips as rows of frames: what stands in for a film on a page, and what a player stands beside."""

from collections.abc import Mapping
from textwrap import fill

import numpy as np

from cogkit.plots.figure import Picture, PlotError, describe, picture
from cogkit.plots.strips import Row, as_clip, even, strips
from cogkit.plots.tables import table


@picture
def filmstrips(clips, title: str = "", columns: int = 9) -> Picture:
    """Frames of a clip side by side, the first and the last among them; clips by name one under the other.

    `clips`: frames (F, H, W, 3), or a dict of them, all of one shape. The sentence says how far every clip is from the
    first one, as the mean difference in levels of 255; the table says it frame by frame.
    """
    clips = {name: as_clip(clip, name) for name, clip in (clips if isinstance(clips, Mapping) else {"": clips}).items()}
    first, *others = clips
    for name in others:
        if clips[name].shape != clips[first].shape:
            raise PlotError(
                f"{first} is {clips[first].shape} and {name} is {clips[name].shape}; a strip needs one shape"
            )
    shown = even(len(clips[first]), columns)
    labels = {name: "\n".join(fill(line, 16) for line in name.splitlines()) for name in clips}  # they fit at the left
    rows = [Row(labels[name], [clip[k] for k in shown]) for name, clip in clips.items()]
    rows[0] = rows[0]._replace(titles=[f"frame {k}" for k in shown])
    figure, _ = strips(rows, extra=0.6 if title else 0.3, largest=1.3)
    figure.suptitle(title)
    apart = {name: np.abs(clips[name].astype(int) - clips[first]).mean((1, 2, 3)) for name in others}
    said = {name: " ".join(name.split()) for name in clips}  # a label may have several lines
    away = [f"{said[name]} ({value.mean():.0f} levels of 255 from {said[first]})" for name, value in apart.items()]
    alt = f"{len(shown)} of {len(clips[first])} frames" + (f" of {', '.join([said[first], *away])}." if first else ".")
    numbers = [[k, *(float(value[k]) for value in apart.values())] for k in even(len(clips[first]), 24)]
    return describe(
        figure,
        f"{title}. {alt}" if title else alt,
        table(["frame", *(said[name] for name in others)], numbers) if others else "",
    )
