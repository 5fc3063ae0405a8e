"""Scene -> frames and masks, at any size and frame count.

Shapes are signed distances: negative inside, zero on the outline. Half a pixel either side of the outline is where
a pixel is partly covered, so coverage = 1/2 - distance, clamped to [0, 1], is an exact anti-aliased straight edge.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8

from cogkit.world.paint import rgb
from cogkit.world.scene import Scene
from cogkit.world.vocabulary import FPS

INNER_RADIUS = {"triangle": np.cos(np.pi / 3), "square": np.cos(np.pi / 4), "star": 0.45}
TIPS = {"triangle": 3, "square": 4, "star": 5}
VISUAL_SCALE = {"circle": 0.88, "square": 1.06, "triangle": 1.15, "star": 1.15, "cross": 0.98}  # look equally large


class Rendering(NamedTuple):
    frames: UInt8[np.ndarray, "F H W 3"]
    masks: Bool[np.ndarray, "things F H W"]


def render(scene: Scene, frames: int = 17, size: int | tuple[int, int] = 128, fps: int | float = FPS) -> Rendering:
    """Draw a scene, anti-aliased. `size` is the side of a square frame or (height, width), in pixels.

    Frame i shows the time i / fps. `masks[k]` is True where thing k is what a pixel mostly shows. On frames that are
    not square, shares of "the side" are shares of the shorter side and the scene is centred.
    """
    height, width = (size, size) if isinstance(size, int) else size
    side = min(height, width)
    seconds = (np.arange(frames, dtype=np.float32) / fps)[:, None, None]
    # Pixel centres, in shares of the side.
    y = ((np.arange(height, dtype=np.float32) + 0.5 - (height - side) / 2) / side)[None, :, None]
    x = ((np.arange(width, dtype=np.float32) + 0.5 - (width - side) / 2) / side)[None, None, :]

    canvas = np.repeat(background_image(scene.background, height, width)[None], frames, axis=0)
    masks = np.zeros((len(scene.things), frames, height, width), dtype=bool)
    for k, thing in enumerate(scene.things):
        cx, cy, radius = (np.asarray(v, np.float32) for v in thing.at(seconds))
        cover = coverage(thing.shape, x - cx, y - cy, radius, side)
        canvas += cover[..., None] * (np.array(rgb(thing.colour), np.float32) - canvas)
        masks[:k] &= cover < 0.5
        masks[k] = cover >= 0.5
    return Rendering((canvas + 0.5).astype(np.uint8), masks)


def coverage(shape: str, dx, dy, radius, side: int) -> Float[np.ndarray, "..."]:
    """Share of each pixel that the shape covers; dx, dy and radius in shares of the side, tip of the shape upwards."""
    return np.clip(0.5 - _distance(shape, dx, dy, radius * VISUAL_SCALE[shape]) * side, 0, 1)


def _distance(shape: str, dx, dy, radius):
    """Signed distance to the outline (exact along straight edges, an upper bound at corners)."""
    if shape == "circle":
        return np.hypot(dx, dy) - radius
    if shape == "cross":
        far, near = np.maximum(np.abs(dx), np.abs(dy)), np.minimum(np.abs(dx), np.abs(dy))
        # Inside the wide bar or, mirrored onto it, the tall one.
        return np.maximum(far - radius, near - 0.33 * radius)
    tips = TIPS[shape]
    # A star with n tips is one straight edge, seen 2n times in a mirror: fold the angle until a single edge is left.
    turn = 2 * np.pi / tips
    phase = turn / 2 if shape == "square" else 0.0  # the square stands on a side, the others point upwards
    angle = np.arctan2(dx, -dy) + phase
    angle = np.abs((angle + turn / 2) % turn - turn / 2)
    distance = np.hypot(dx, dy)
    along, across = distance * np.cos(angle), distance * np.sin(angle)
    inner = INNER_RADIUS[shape]
    edge_along, edge_across = inner * np.cos(turn / 2) - 1, inner * np.sin(turn / 2)  # from the tip to the notch
    length = np.hypot(edge_along, edge_across)
    return ((along - radius) * edge_across - across * edge_along) / length


def background_image(name: str, height: int, width: int) -> Float[np.ndarray, "H W 3"]:
    """A neutral backdrop in 0..255, the same in every scene. Patterns are periodic in shares of the shorter side."""
    side = min(height, width)
    y = ((np.arange(height, dtype=np.float32) + 0.5) / side)[:, None]
    x = ((np.arange(width, dtype=np.float32) + 0.5) / side)[None, :]
    if name == "black":
        grey = np.float32(16)
    elif name == "gray":
        grey = np.float32(128)
    elif name == "white":
        grey = np.float32(240)
    elif name == "striped":
        grey = 96 + 72 * _soft_step(_wave(y, 4), side / 4)
    elif name == "checkered":
        grey = 96 + 72 * _soft_step(_wave(x, 2) * _wave(y, 2), side / 4)
    elif name == "gradient":
        grey = 215 - 170 * y * side / height
    else:
        raise ValueError(f"background {name!r} is not in the vocabulary")
    grey = np.broadcast_to(np.asarray(grey, np.float32), (height, width))
    return np.repeat(grey[..., None], 3, axis=-1)


def _wave(t, periods: int):
    """A triangle wave in [-1, 1] with zeros at multiples of half a period."""
    return 2 * np.abs((periods * t + 0.25) % 1 * 2 - 1) - 1


def _soft_step(wave, sharpness: float):
    """0 where the wave is negative, 1 where positive, with an anti-aliased crossing."""
    return np.clip(0.5 + wave * sharpness / 4, 0, 1)
