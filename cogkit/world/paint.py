"""What a colour is, and paints: colours beyond the palette, for training only.

Painted in a few fixed colours, a model may learn every colour-shape pair by heart, and find the outline of a red thing
by exactly this red. Between paints of any hue and depth it must learn colour and shape apart. A paint is
written "#rrggbb" and called by the name, of the palette or in between, whose hue is closest.
"""

import colorsys

import numpy as np
from jaxtyping import Float

from cogkit.world.vocabulary import COLOURS, HELD_OUT_PAIRS, IN_BETWEEN

RGB = tuple[int, int, int]


def rgb(colour: str) -> RGB:
    """0..255, of a name of the palette or of a paint."""
    return tuple(bytes.fromhex(colour[1:])) if is_paint(colour) else COLOURS[colour]


def is_paint(colour: str) -> bool:
    return colour.startswith("#")


def spoken(colour: str) -> str:
    """What a caption calls it."""
    return min(_HUES, key=lambda name: _apart(_HUES[name], hue_of(rgb(colour)))) if is_paint(colour) else colour


def hue_of(mixed: RGB) -> float:
    """In degrees, red is 0."""
    return 360 * colorsys.rgb_to_hsv(*(part / 255 for part in mixed))[0]


def mix_paint(dice: np.random.Generator, shape: str) -> str:
    """A vivid paint of any hue that nobody would take, on this shape, for a colour-shape pair that is held out."""
    while True:
        hue, saturation, value = dice.uniform((0, 0.6, 0.5), 1)
        mixed = tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue, saturation, value))
        if (nearest_name(mixed), shape) not in HELD_OUT_PAIRS:
            return "#" + bytes(mixed).hex()


def nearest_name(mixed: RGB) -> str:
    """The name whose hue is closest."""
    return list(COLOURS)[int(along_hues(np.float32(mixed)).argmax())]


def along_hues(pixels: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n hue"]:
    """How far colours go from neutral towards each hue of the palette, in levels of 255; the named one goes CHROMA."""
    return _off_neutral(pixels) @ (_PALETTE / CHROMA[:, None]).T


def _apart(a: float, b: float) -> float:
    """The angle between two hues."""
    return abs((a - b + 180) % 360 - 180)


def _off_neutral(pixels: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
    return pixels - pixels.mean(-1, keepdims=True)


_PALETTE = _off_neutral(np.array(list(COLOURS.values()), np.float32))
CHROMA = np.linalg.norm(_PALETTE, axis=-1)
_HUES = {name: hue_of(colour) for name, colour in COLOURS.items()} | IN_BETWEEN
