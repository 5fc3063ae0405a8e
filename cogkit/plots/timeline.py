"""Time as rows of boxes: which frames, pixels' or latent, touch which; which process holds which."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool
from matplotlib.axes import Axes

from cogkit.plots.figure import COLOURS, WIDTH, Picture, describe, picture
from cogkit.plots.strips import even, spans
from cogkit.plots.tables import table
from cogkit.shapes import pixel_frames

PLAIN, TOUCHED, CHOSEN = "0.9", COLOURS[5], COLOURS[4]


@picture
def frame_reach(
    before: Bool[np.ndarray, " F"],
    latents: Bool[np.ndarray, " t"],
    after: Bool[np.ndarray, " F"],
    chosen: int,
    given: bool,
    borders: Sequence[int] = (),
    title: str = "",
) -> Picture:
    """A clip, its latent frames and the clip that comes back, one row each; what is touched is blue.

    `chosen`: the frame that is asked about, of the clip if `given`, else of what comes back. `borders`: frames with
    which a new chunk begins.
    """
    figure = Picture(figsize=(WIDTH, 2.1))
    axes = figure.subplots()
    frames = [range(k, k + 1) for k in range(len(before))]
    rows = {"frames in": (frames, before), "latent frames": (spans(len(before), len(latents)), latents)}
    rows["frames out"] = frames, after
    for row, (boxes, touched) in enumerate(rows.values()):
        colours = [TOUCHED if hit else PLAIN for hit in touched]
        if row == (0 if given else 2):
            colours[chosen] = CHOSEN
        draw_boxes(axes, row, boxes, colours)
    for k, box in enumerate(rows["latent frames"][0]):
        axes.text(box[0] + len(box) / 2, 1, str(k), ha="center", va="center", fontsize=9)
    axes.vlines([*borders], -0.55, 2.55, color="black", linestyle=":", linewidth=1)
    finish(axes, list(rows), len(before), "frame (a dotted line: a new chunk)" if borders else "frame")
    figure.suptitle(title)
    numbers = [[name, named_run(touched), int(np.sum(touched)), len(touched)] for name, (_, touched) in rows.items()]
    alt = f"Three rows of boxes, {', '.join(rows)}. {title}: " + "; ".join(
        f"{name} {found}" for name, found, *_ in numbers
    )
    return describe(figure, alt + ".", table(["row", "touched", "of them", "of"], numbers))


@picture
def frame_shares(
    shares: Sequence[range], halo: range, reach: range, rank: int, pixels: bool = False, title: str = ""
) -> Picture:
    """Which latent frames each process (rank) holds, in a row each; and for one of them what it needs of the others.

    `halo`: what it receives before a convolution. `reach`: what is behind its first frame after the whole stack.
    `pixels`: draw pixel frames; the ranges count what is drawn.
    """
    count = shares[-1].stop
    figure = Picture(figsize=(WIDTH, 1.35 + 0.27 * len(shares)))
    axes = figure.subplots()
    for row, share in enumerate(shares):
        draw_boxes(axes, row, [range(k, k + 1) for k in share], [COLOURS[row % 6]] * len(share), alpha=0.9)
    draw_boxes(axes, rank, [range(k, k + 1) for k in reach], ["0.85"] * len(reach))
    for k in halo:
        draw_boxes(axes, rank, [range(k, k + 1)], [COLOURS[(rank - 1) % 6]], hatch="////", edgecolor="white")
    label = "pixel frame" if pixels else "latent frame"
    label += f" (gray: what the first frame of rank {rank} depends on after the stack)" if reach else ""
    finish(axes, [f"rank {k}" for k in range(len(shares))], count, label)
    figure.suptitle(title)
    rows = [[k, share[0], share[-1], len(share)] for k, share in enumerate(shares)]
    return describe(figure, f"{len(shares)} rows of boxes. {title}.", table(["rank", "first", "last", "frames"], rows))


def draw_boxes(axes: Axes, row: int, boxes: Sequence[range], colours: Sequence[str], **more) -> None:
    """A box for each range of frames, from its first to its last, in the row's height."""
    lefts, widths = [box.start for box in boxes], [len(box) - 0.12 for box in boxes]
    axes.barh([row] * len(boxes), widths, left=lefts, height=0.8, align="center", color=colours, **more)


def finish(axes: Axes, names: Sequence[str], count: int, label: str) -> None:
    """Rows from top to bottom, a tick in the middle of a frame's box."""
    axes.set(xlim=(-0.1, count), ylim=(len(names) - 0.4, -0.6), xlabel=label)
    axes.set_yticks(range(len(names)), names)
    shown = range(0, count, 4) if count <= pixel_frames(16) else even(count, 16)
    axes.set_xticks([k + 0.44 for k in shown], shown)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def named_run(touched: Bool[np.ndarray, " n"]) -> str:
    """ "none", "3", or "0 to 8": the touched ones have no gaps."""
    found = np.flatnonzero(touched)
    if not len(found):
        return "none"
    return f"{found[0]} to {found[-1]}" if len(found) > 1 else f"{found[0]}"
