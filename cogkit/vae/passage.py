"""How a video goes through a network: in chunks, each with what the one before left behind, and in tiles if asked."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

import torch

from cogkit.shapes import SizeError, check_frames
from cogkit.vae.stream import Map, NewMap, Stream
from cogkit.vae.tiling import Tiles, tiled

OneChunk = Callable[[Map, Stream], NewMap]


def cut(pieces: Iterable[Map], size: int, total: int | None, as_released: bool, fold: int = 1) -> Iterator[Map]:
    """The frames of all `pieces`, laid end to end and cut into chunks: 1 + `size` frames first, `size` ever after.

    Nobody has to know the end; the last chunk is what is left. As released, the first one has the remainder of `total`
    in addition to `size` (both agree on 8k + 1 pixel frames, 2k + 1 latent ones). Holds one chunk and one piece.
    A video of other than `fold` k + 1 frames raises SizeError.
    """
    if as_released and total is None:
        raise SizeError(
            "as released, the first chunk depends on how long the video is: pass its length, or set as_released = False"
        )
    length, held, seen = size + (total % size if as_released else 1), None, 0
    for piece in pieces:
        held = piece if held is None else torch.cat([held, piece], dim=2)
        while held.shape[2] >= length:
            chunk, held, seen, length = held[:, :, :length], held[:, :, length:], seen + length, size
            yield chunk
    if held is not None and held.shape[2]:
        check_frames(seen + held.shape[2], fold)
        yield held


def stream_through(
    network: OneChunk, chunks: Iterable[Map], as_released: bool, tiles: Tiles | None = None
) -> Iterator[NewMap]:
    """`network` on one chunk after the other. Holds one chunk and, for every tile, the tails of its convolutions."""
    streams: dict[tuple[int, int], Stream] = defaultdict(lambda: Stream(as_released))
    for chunk in chunks:
        if tiles and tiles.are_smaller_than(chunk):
            yield tiled(chunk, lambda tile, place: network(tile, streams[place]), tiles)
        else:
            yield network(chunk, streams[0, 0])


def clip_through(network: OneChunk, x: Map, size: int, as_released: bool, tiles: Tiles | None = None) -> NewMap:
    """`network` on a whole clip: the same numbers as `stream_through`, but tile by tile, so that the tails of one tile
    are gone before the next one starts. Mirrors: AutoencoderKLCogVideoX._encode and _decode.
    """
    if tiles and tiles.are_smaller_than(x):
        return tiled(x, lambda tile, _: clip_through(network, tile, size, as_released), tiles)
    return torch.cat([*stream_through(network, cut([x], size, x.shape[2], as_released), as_released)], dim=2)
