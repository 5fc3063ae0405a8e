"""The words of the moving-shapes world and what each of them means. Nothing here draws."""

from dataclasses import dataclass

# Pure hues, at least 22 degrees apart: every colour can be told by its hue alone, and blending with a neutral
# background (anti-aliased edges, a blurry model) leaves the hue where it was.
COLOURS = {
    "red": (222, 38, 38),
    "orange": (246, 138, 30),
    "yellow": (240, 222, 40),
    "green": (44, 168, 72),
    "cyan": (50, 200, 214),
    "blue": (44, 84, 224),
    "purple": (140, 56, 204),
    "pink": (246, 110, 188),
}

# Between those: names and hues in degrees. Training paints in them, so that there are more pairs of a colour's word and
# a shape's word than can be learnt by heart. The judge, who knows the palette only, calls them by their neighbours.
# Nano does not know these words; its card says why.
IN_BETWEEN = {
    "scarlet": 15.0,
    "amber": 42.0,
    "lime": 80.0,
    "fern": 107.0,
    "jade": 159.0,
    "azure": 206.0,
    "indigo": 250.0,
    "magenta": 300.0,
    "crimson": 343.0,
}

SHAPES = ("circle", "square", "triangle", "star", "cross")

# Half-diameters as a share of the frame's side.
RADII = {"small": 0.145, "large": 0.21}

# Backgrounds are neutral (no hue) and always look the same.
BACKGROUNDS = ("black", "gray", "white", "striped", "checkered", "gradient")


@dataclass(frozen=True)
class Motion:
    """Constant velocity (shares of the side per second, y pointing down) and constant growth (radius, per second)."""

    vx: float = 0.0
    vy: float = 0.0
    growth: float = 0.0


SPEED = 0.20
DIAGONAL = 0.15
MOTIONS = {
    "right": Motion(vx=SPEED),
    "left": Motion(vx=-SPEED),
    "up": Motion(vy=-SPEED),
    "down": Motion(vy=SPEED),
    "up-right": Motion(vx=DIAGONAL, vy=-DIAGONAL),
    "up-left": Motion(vx=-DIAGONAL, vy=-DIAGONAL),
    "down-right": Motion(vx=DIAGONAL, vy=DIAGONAL),
    "down-left": Motion(vx=-DIAGONAL, vy=DIAGONAL),
    "still": Motion(),
    "grow": Motion(growth=0.05),
    "shrink": Motion(growth=-0.05),
}

# Never drawn while training. Every colour appears once at most and every shape at least once, so the model has seen
# each half of every pair many times and only the meeting is new.
HELD_OUT_PAIRS = frozenset(
    {
        ("red", "star"),
        ("orange", "cross"),
        ("green", "triangle"),
        ("blue", "square"),
        ("purple", "circle"),
        ("pink", "star"),
    }
)

FPS = 8
