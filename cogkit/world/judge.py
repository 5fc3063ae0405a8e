"""Reads a video without knowing the prompt and says what it sees.

Backgrounds are neutral and objects are pure hues, so colourfulness alone separates them, and blur or anti-aliasing
cannot change a hue. Nothing is learned: every reading can be followed by hand.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8

from cogkit.world.paint import CHROMA, along_hues
from cogkit.world.render import background_image, coverage
from cogkit.world.vocabulary import BACKGROUNDS, COLOURS, FPS, MOTIONS, SHAPES, SPEED

COLOURFUL = 0.25  # of an object's full chroma: below this a pixel is background
LEAST_AREA = 0.006  # of the frame: smaller patches are not objects
LEAST_SHARE = 0.10  # of the largest object: smaller patches of another hue are its fringe
LOOKS = 5  # frames in which shapes are compared


class Sighting(NamedTuple):
    """One object as seen. `motion` is None in a single frame."""

    colour: str
    shape: str
    motion: str | None
    radius: float  # mean over the clip, as a share of the side
    x: float  # mean centre, shares of the side
    y: float


class Reading(NamedTuple):
    things: tuple[Sighting, ...]  # largest first
    background: str


def read_video(frames: UInt8[np.ndarray, "F H W 3"], fps: int | float = FPS) -> Reading:
    """Say what a clip shows: its background and at most two objects."""
    cover, hue = _foreground(frames.astype(np.float32))
    side = min(frames.shape[1:3])
    areas = {name: (cover * (hue == k)).sum() / len(frames) for k, name in enumerate(COLOURS)}
    least = max(LEAST_AREA * side * side, LEAST_SHARE * max(areas.values()))
    found = sorted((name for name, area in areas.items() if area >= least), key=areas.get, reverse=True)[:2]
    things = tuple(_read_thing(cover * (hue == list(COLOURS).index(name)), name, fps) for name in found)
    return Reading(things, _read_background(frames.astype(np.float32), cover < 0.1))


def segment(frames: UInt8[np.ndarray, "F H W 3"], colour: str) -> Bool[np.ndarray, "F H W"]:
    """Where the object of this colour is seen: the pixels that are closer to its hue than to their background."""
    cover, hue = _foreground(frames.astype(np.float32))
    return (cover >= 0.5) & (hue == list(COLOURS).index(colour))


def _foreground(frames: Float[np.ndarray, "F H W 3"]):
    """How far each pixel is from neutral towards the hue it is closest to (0 to 1), and which hue that is."""
    along = along_hues(frames)
    hue = along.argmax(-1)
    cover = np.clip(np.take_along_axis(along, hue[..., None], -1)[..., 0] / CHROMA[hue], 0, 1)
    return np.where(cover >= COLOURFUL, cover, 0), hue


def _read_thing(cover: Float[np.ndarray, "F H W"], colour: str, fps: int | float) -> Sighting:
    frames, height, width = cover.shape
    side = min(height, width)
    y, x = (np.arange(n, dtype=np.float32) + 0.5 for n in (height, width))
    area = cover.sum((1, 2))
    seen = area > 0.2 * np.median(area[area > 0])
    weight = np.maximum(area, 1e-6)
    cx, cy = cover.sum(1) @ x / weight / side, cover.sum(2) @ y / weight / side
    seconds = np.arange(frames)[seen] / fps
    shape, radius = _read_shape(cover[seen], cx[seen], cy[seen], side)
    motion = None
    if frames > 1:
        motion = _read_motion(seconds, cx[seen], cy[seen], radius * np.sqrt(area[seen] / area[seen].mean()))
    return Sighting(colour, shape, motion, radius, float(cx[seen].mean()), float(cy[seen].mean()))


def _read_shape(cover, cx, cy, side: int) -> tuple[str, float]:
    """The shape that overlaps best when drawn with the same centroid and the same area."""
    looks = np.unique(np.linspace(0, len(cover) - 1, LOOKS).round().astype(int))
    overlap, radii = {}, {}
    for shape in SHAPES:
        unit_area, offset = _UNIT[shape]
        overlaps, sizes = [], []
        for k in looks:
            radius = np.sqrt(cover[k].sum() / side**2 / unit_area)
            # Only a window around the object matters to how the drawn shape overlaps it.
            rows, columns = (
                _window(float(c * side), float(2 * radius * side), n)
                for c, n in zip((cy[k], cx[k]), cover.shape[1:], strict=True)
            )
            y = (np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + 0.5) / side
            x = (np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] + 0.5) / side
            drawn = coverage(shape, x - cx[k], y - (cy[k] - offset * radius), radius, side)
            common = np.minimum(drawn, cover[k][rows, columns]).sum()
            overlaps.append(common / (drawn.sum() + cover[k].sum() - common))
            sizes.append(radius)
        overlap[shape], radii[shape] = np.mean(overlaps), float(np.mean(sizes))
    best = max(overlap, key=overlap.get)
    return best, radii[best]


def _window(centre: float, half: float, length: int) -> slice:
    return slice(max(0, int(centre - half)), min(length, int(centre + half) + 2))


def _measure_unit(shape: str) -> tuple[float, float]:
    """Area of a shape of radius 1, and how far its centroid lies below its centre."""
    axis = np.linspace(-1.5, 1.5, 301, dtype=np.float32)
    drawn = coverage(shape, axis[None, :], axis[:, None], 1.0, 100)
    return float(drawn.sum() * 0.01**2), float((drawn * axis[:, None]).sum() / drawn.sum())


_UNIT = {shape: _measure_unit(shape) for shape in SHAPES}


def _read_motion(seconds, x, y, radius) -> str:
    """Straight lines through the centre and the radius, compared with half of what each motion would do."""
    vx, vy, growth = (np.polyfit(seconds, track, 1)[0] if len(seconds) > 1 else 0.0 for track in (x, y, radius))
    if abs(growth) > MOTIONS["grow"].growth / 2 and np.hypot(vx, vy) < SPEED / 2:
        return "grow" if growth > 0 else "shrink"
    if np.hypot(vx, vy) < SPEED / 2:
        return "still"
    moving = {name: m for name, m in MOTIONS.items() if m.vx or m.vy}
    return max(
        moving,
        key=lambda name: (moving[name].vx * vx + moving[name].vy * vy) / np.hypot(moving[name].vx, moving[name].vy),
    )


def _read_background(frames: Float[np.ndarray, "F H W 3"], visible: Bool[np.ndarray, "F H W"]) -> str:
    """The backdrop that differs least where nothing stands in front of it."""
    height, width = frames.shape[1:3]
    grey = frames.mean(-1)
    error = {
        name: np.abs(grey - background_image(name, height, width)[None, ..., 0])[visible].mean() if visible.any() else 0
        for name in BACKGROUNDS
    }
    return min(error, key=error.get)
