"""Colours beyond the palette, for training only: they have no name, so no word of a caption can stand for one.

Painted in a few named colours, a model may learn every colour-shape pair by heart. Between paints of any hue it must
learn colour and shape apart.
"""

import colorsys

import numpy as np

from cogkit.world.vocabulary import COLOURS, HELD_OUT_PAIRS

RGB = tuple[int, int, int]


def rgb(colour: str) -> RGB:
    """0..255, of a name of the palette or of a nameless paint, written "#rrggbb"."""
    return tuple(bytes.fromhex(colour[1:])) if nameless(colour) else COLOURS[colour]


def nameless(colour: str) -> bool:
    return colour.startswith("#")


def mix_paint(dice: np.random.Generator, shape: str) -> str:
    """A vivid paint of any hue that nobody would take, on this shape, for a colour-shape pair that is held out."""
    while True:
        hue, saturation, value = dice.uniform((0, 0.6, 0.5), 1)
        mixed = tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue, saturation, value))
        if (nearest_name(mixed), shape) not in HELD_OUT_PAIRS:
            return "#" + bytes(mixed).hex()


def nearest_name(mixed: RGB) -> str:
    """The name whose hue is closest; like the judge, by the angle between the colourful parts."""
    parts = {name: np.subtract(c, np.mean(c)) for name, c in COLOURS.items()}
    seen = np.subtract(mixed, np.mean(mixed))
    return max(parts, key=lambda name: seen @ parts[name] / np.linalg.norm(parts[name]))
