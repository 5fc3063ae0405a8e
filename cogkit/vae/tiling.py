"""A picture too large for the memory goes through in tiles that overlap; the overlaps are blended."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from cogkit.vae.stream import Map, NewMap

Size = tuple[int, int]  # y, x


class Tiles(NamedTuple):
    size: Size  # of a tile, in input pixels
    stride: Size  # from tile to tile, in input pixels
    blended: Size  # lines that fade from tile to tile, in output pixels
    kept: Size  # of each finished tile, in output pixels

    def are_smaller_than(self, x: Map) -> bool:
        return x.shape[3] > self.size[0] or x.shape[4] > self.size[1]


def plan_tiles(size: Size, size_out: Size, overlap: tuple[float, float]) -> Tiles:
    """Tiles of `size` that become `size_out`; `overlap` is a share of the tile. Rounds as diffusers does."""
    blended = (int(size_out[0] * overlap[0]), int(size_out[1] * overlap[1]))
    stride = (int(size[0] * (1 - overlap[0])), int(size[1] * (1 - overlap[1])))
    return Tiles(size, stride, blended, (size_out[0] - blended[0], size_out[1] - blended[1]))


def tiled(x: Map, run: Callable[[Map, Size], NewMap], tiles: Tiles) -> NewMap:
    """`run(tile, its place)` on every tile of `x`, put together.

    Not equal to one pass: each tile has its own borders and its own norm statistics.
    Mirrors: AutoencoderKLCogVideoX.tiled_decode and tiled_encode.
    """
    (height, width), (down, right) = tiles.size, tiles.stride
    rows = [
        [run(x[..., top : top + height, left : left + width], (top, left)) for left in range(0, x.shape[4], right)]
        for top in range(0, x.shape[3], down)
    ]
    for i, row in enumerate(rows):
        for j, tile in enumerate(row):
            if i > 0:
                blend(rows[i - 1][j], tile, tiles.blended[0], axis=3)
            if j > 0:
                blend(row[j - 1], tile, tiles.blended[1], axis=4)
    height, width = tiles.kept
    return torch.cat([torch.cat([tile[..., :height, :width] for tile in row], dim=4) for row in rows], dim=3)


def blend(before: Tensor, tile: Tensor, extent: int, axis: int) -> None:
    """Fade, in place, from the last lines of `before` into the first lines of `tile`, linearly over `extent` lines."""
    extent = min(before.shape[axis], tile.shape[axis], extent)
    for k in range(extent):
        line = tile.select(axis, k)
        line.copy_(before.select(axis, k - extent) * (1 - k / extent) + line * (k / extent))
