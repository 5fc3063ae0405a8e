"""What one token stands for: a square of pixels, four latent pixels, and the frames of a latent frame."""

import numpy as np
from matplotlib.patches import Rectangle

from cogkit.plots.figure import COLOURS, WIDTH, Picture, PlotError, describe, picture
from cogkit.plots.strips import even, spans
from cogkit.plots.tables import table
from cogkit.plots.timeline import CHOSEN, PLAIN, draw_boxes, finish
from cogkit.shapes import PATCH, SPATIAL, latent_frames

SIDE = PATCH * SPATIAL  # pixels of a token


@picture
def token_cover(frames: int, height: int, width: int, token: int) -> Picture:
    """Token number `token` of a video of that size, in its place on the picture, enlarged, and in time."""
    grid = latent_frames(frames), height // SIDE, width // SIDE
    if not 0 <= token < np.prod(grid):
        raise PlotError(f"token={token} is not there: a grid of {grid} has tokens 0 to {np.prod(grid) - 1}")
    t, y, x = (int(k) for k in np.unravel_index(token, grid))
    figure = Picture(figsize=(WIDTH, 4.1))
    parts = figure.subplot_mosaic([["place", "near"], ["time", "time"]], height_ratios=(3, 1), width_ratios=(1.5, 1))
    place, near, time = parts["place"], parts["near"], parts["time"]
    place.set(xlim=(0, width), ylim=(height, 0), aspect="equal", xlabel="x, pixels", ylabel="y, pixels")
    fine = 0.6 if max(grid[1:]) < 20 else 0.4
    place.vlines(range(0, width + 1, SIDE), 0, height, color="0.6", linewidth=fine)
    place.hlines(range(0, height + 1, SIDE), 0, width, color="0.6", linewidth=fine)
    place.add_patch(_square(SIDE * x, SIDE * y, SIDE, color=CHOSEN))
    place.set_title(f"a frame of {height} x {width}: {grid[1]} x {grid[2]} tokens", fontsize=10)
    near.set(xlim=(SIDE * x, SIDE * (x + 1)), ylim=(SIDE * (y + 1), SIDE * y), aspect="equal")
    for k in range(PATCH**2):
        dy, dx = divmod(k, PATCH)
        corner = SIDE * x + SPATIAL * dx, SIDE * y + SPATIAL * dy
        near.add_patch(_square(*corner, SPATIAL, facecolor=CHOSEN, alpha=0.35 + 0.15 * ((dx + dy) % 2)))
        middle = corner[0] + SPATIAL / 2, corner[1] + SPATIAL / 2
        near.text(*middle, f"y {PATCH * y + dy}\nx {PATCH * x + dx}", ha="center", va="center", fontsize=9)
    near.vlines(range(SIDE * x, SIDE * (x + 1)), SIDE * y, SIDE * (y + 1), color="white", linewidth=0.4)
    near.hlines(range(SIDE * y, SIDE * (y + 1)), SIDE * x, SIDE * (x + 1), color="white", linewidth=0.4)
    near.set_xticks([SIDE * x, SIDE * x + SPATIAL, SIDE * (x + 1)])
    near.set_yticks([SIDE * y, SIDE * y + SPATIAL, SIDE * (y + 1)])
    near.set_title("its latent pixels, 8 x 8 pixels each", fontsize=10)
    covered = spans(frames, grid[0])
    draw_boxes(time, 0, covered, [CHOSEN if k == t else PLAIN for k in range(grid[0])])
    marks = [COLOURS[5] if k in covered[t] else PLAIN for k in range(frames)]
    draw_boxes(time, 1, [range(k, k + 1) for k in range(frames)], marks)
    for k in even(grid[0], 14):
        time.text(covered[k][0] + len(covered[k]) / 2, 0, str(k), ha="center", va="center", fontsize=9)
    finish(time, ["latent frames", "frames"], frames, "")
    figure.suptitle(f"Token {token:,} of {np.prod(grid):,}: latent frame {t}, row {y}, column {x}")
    rows = [
        ["frames", covered[t][0], covered[t][-1]],
        ["pixels, y", SIDE * y, SIDE * (y + 1) - 1],
        ["pixels, x", SIDE * x, SIDE * (x + 1) - 1],
        ["latent pixels, y", PATCH * y, PATCH * (y + 1) - 1],
        ["latent pixels, x", PATCH * x, PATCH * (x + 1) - 1],
    ]
    alt = f"Token {token} in a grid of {grid[0]} x {grid[1]} x {grid[2]}: " + ", ".join(
        f"{name} {first} to {last}" for name, first, last in rows
    )
    return describe(figure, alt + ".", table(["what", "first", "last"], rows))


def _square(x: int, y: int, side: int, **look) -> Rectangle:
    return Rectangle((x, y), side, side, **look)
