"""How a video goes through a network: cut into chunks, each with what the one before left behind, and tiles if asked."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

import torch

from cogkit.shapes import SizeError
from cogkit.vae.stream import Map, Stream
from cogkit.vae.tiling import Tiles, tiled

Network = Callable[[Map, Stream], Map]


class StreamError(ValueError):
    """A stream that cannot be cut without knowing its length."""


def chunk_lengths(size: int, total: int | None, as_released: bool) -> Iterator[int]:
    """How many frames each chunk has, if chunks have `size` of them (8 pixel frames, or 2 latent ones).

    1 + size for the first and size for the others, for as long as there are any: nobody has to know the end. As
    released, the first chunk takes the remainder of `total`. Both agree on 8k + 1 pixel frames, 2k + 1 latent ones.
    """
    if as_released and total is None:
        raise StreamError(
            "as released, the first chunk depends on how long the video is: pass the total, or set as_released = False"
        )
    yield size + total % size if as_released else 1 + size
    while True:
        yield size


def recut(pieces: Iterable[Map], lengths: Iterable[int]) -> Iterator[Map]:
    """The same frames, cut anew; holds one chunk and one piece at a time. The last chunk is what is left."""
    pieces, held = iter(pieces), None
    for length in lengths:
        while held is None or held.shape[2] < length:
            piece = next(pieces, None)
            if piece is None:
                break
            held = piece if held is None or not held.shape[2] else torch.cat([held, piece], dim=2)
        if held is None or not held.shape[2]:
            return
        yield held[:, :, :length]
        held = held[:, :, length:]


def stream_through(
    network: Network, chunks: Iterable[Map], as_released: bool, tiles: Tiles | None = None
) -> Iterator[Map]:
    """`network` on one chunk after the other. Holds one chunk and, for every tile, the tails of its convolutions."""
    streams: dict[tuple[int, int], Stream] = defaultdict(lambda: Stream(as_released))
    for chunk in chunks:
        if tiles and tiles.are_smaller_than(chunk):
            yield tiled(chunk, lambda tile, place: network(tile, streams[place]), tiles)
        else:
            yield network(chunk, streams[0, 0])


def clip_through(network: Network, x: Map, size: int, as_released: bool, tiles: Tiles | None = None) -> Map:
    """`network` on a whole clip: the same numbers as `stream_through`, but tile by tile, so that the tails of one tile
    are gone before the next one starts.
    """
    if tiles and tiles.are_smaller_than(x):
        return tiled(x, lambda tile, place: clip_through(network, tile, size, as_released), tiles)
    chunks = recut([x], chunk_lengths(size, x.shape[2], as_released))
    return torch.cat(list(stream_through(network, chunks, as_released)), dim=2)


def check_chunks(chunks: Iterable[Map], multiple: int) -> Iterator[Map]:
    """Pass chunks on, and stop at one that holds a part of a latent frame."""
    total = 0
    for chunk in chunks:
        total += chunk.shape[2]
        check_causal_frames(total, multiple)
        yield chunk


def check_causal_frames(frames: int, multiple: int) -> None:
    """Refuse a number of frames that is not frame 0 and whole groups of `multiple`."""
    if frames < 1 or frames % multiple != 1 % multiple:
        below = max(1, (frames - 1) // multiple * multiple + 1)
        near = f"{below} or {below + multiple}" if frames > 1 else f"1 or {1 + multiple}"
        raise SizeError(
            f"frames={frames} does not fit: frame 0 stands alone and every {multiple} later ones share a latent "
            f"frame; use {near}"
        )
