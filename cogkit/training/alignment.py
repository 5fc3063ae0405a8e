"""A second lesson for the early blocks: say what every patch of the clean clip shows.

The loss on v alone teaches which words matter only as far as they move pixels, and a shape's outline moves few: the
average of all shapes is a place to get stuck. So, after REPA (Yu et al., 2024, arXiv 2410.06940), a linear head reads
the video tokens halfway and is taught a better representation of the clip. There it is that of a pretrained vision
model; here the world itself knows the truth. The head is for training only and is left behind by `export`.
"""

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from cogkit.shapes import PATCH, SPATIAL, latent_frames
from cogkit.world.paint import spoken
from cogkit.world.render import coverage
from cogkit.world.scene import Scene, Thing
from cogkit.world.vocabulary import COLOURS, FPS, MOTIONS, SHAPES

CELLS = 4  # along each side of a patch: how finely the outline is asked for
NAMED = 2  # the thing that the sentence names first, and the second
OUTLINE, TRAITS = len(SHAPES) * CELLS**2, len(COLOURS) + len(MOTIONS) + NAMED


class Overhear:
    """A forward hook that keeps the video tokens that a transformer block gives on."""

    tokens: Tensor

    def __call__(self, block: nn.Module, inputs, output: tuple[Tensor, Tensor]) -> None:
        self.tokens = output[0]


def alignment_head(width: int) -> nn.Module:
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, OUTLINE + TRAITS))


def alignment_loss(
    head: nn.Module,
    tokens: Float[Tensor, "b n d"],
    scenes: list[Scene],
    named: list[tuple[Thing, ...]],
    size: int,
    frames: int,
) -> Float[Tensor, "b"]:
    """Squared error per token of each clip, summed over what is asked: outline by shape, colour, motion, and which of
    the things that its sentence names."""
    truth = np.stack([what_is_where(*told, size, frames) for told in zip(scenes, named, strict=True)])
    error = (head(tokens.float()) - torch.from_numpy(truth)).square()
    outline, traits = error.split([OUTLINE, TRAITS], dim=-1)
    return (outline.sum(-1) / CELLS**2 + traits.sum(-1)).mean(-1)


def what_is_where(scene: Scene, named: tuple[Thing, ...], size: int, frames: int) -> Float[np.ndarray, "n features"]:
    """For every video token, in the transformer's order: the share of its cells that each shape covers, then the share
    of the patch that each colour, each motion and each of the `named` things covers, at the middle of the latent
    frame's time."""
    seconds = [0.0] + [(4 * k - 1.5) / FPS for k in range(1, latent_frames(frames))]
    grid = size // SPATIAL // PATCH
    side = grid * CELLS
    centre = (np.arange(side, dtype=np.float32) + 0.5) / side
    cells = np.zeros((len(seconds), side, side, len(SHAPES)), np.float32)
    traits = np.zeros((len(seconds), grid, grid, TRAITS), np.float32)
    for thing in scene.things:
        x, y, radius = (np.reshape(np.float32(v), (-1, 1, 1)) for v in thing.at(np.array(seconds)))
        covered = coverage(thing.shape, centre[None, None, :] - x, centre[None, :, None] - y, radius, side)
        cells[..., SHAPES.index(thing.shape)] += covered
        share = rearrange(covered, "t (h i) (w j) -> t h w (i j)", i=CELLS, j=CELLS).mean(-1)
        name = spoken(thing.colour)
        if name in COLOURS:  # what lies between them is none of them
            traits[..., list(COLOURS).index(name)] += share
        traits[..., len(COLOURS) + list(MOTIONS).index(thing.motion)] += share
        if thing in named:
            traits[..., -NAMED + named.index(thing)] += share
    cells = rearrange(cells, "t (h i) (w j) s -> (t h w) (s i j)", i=CELLS, j=CELLS)
    return np.concatenate([cells, rearrange(traits, "t h w c -> (t h w) c")], axis=-1)
