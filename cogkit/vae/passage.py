"""How a video goes through a network: in chunks, each with what the one before left behind, and in tiles if asked."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

import torch

from cogkit.shapes import SizeError
from cogkit.vae.stream import Map, NewMap, Stream
from cogkit.vae.tiling import Tiles, tiled

Network = Callable[[Map, Stream], NewMap]


class StreamError(ValueError):
    """A stream that cannot be cut without knowing its length."""


def cut(
    pieces: Iterable[Map], size: int, total: int | None, as_released: bool, fold: int | None = None
) -> Iterator[Map]:
    """The frames of all `pieces`, laid end to end and cut into chunks: 1 + `size` frames first, `size` ever after.

    Nobody has to know the end; the last chunk is what is left. As released, the first one has the remainder of `total`
    in addition to `size` (both agree on 8k + 1 pixel frames, 2k + 1 latent ones). Holds one chunk and one piece.
    With `fold`, a video of other than `fold` k + 1 frames raises SizeError.
    """
    if as_released and total is None:
        raise StreamError(
            "as released, the first chunk depends on how long the video is: pass its length, or set as_released = False"
        )
    pieces, held, seen = iter(pieces), None, 0
    length = first_chunk(size, total, as_released)
    while True:
        while held is None or held.shape[2] < length:
            piece = next(pieces, None)
            if piece is None:
                break
            held = piece if held is None or not held.shape[2] else torch.cat([held, piece], dim=2)
        if held is None or not held.shape[2]:
            return
        chunk, held = held[:, :, :length], held[:, :, length:]
        seen += chunk.shape[2]
        if fold:
            check_causal_frames(seen, fold)
        yield chunk
        length = size


def first_chunk(size: int, total: int | None, as_released: bool) -> int:
    return size + total % size if as_released else 1 + size


def stream_through(
    network: Network, chunks: Iterable[Map], as_released: bool, tiles: Tiles | None = None
) -> Iterator[NewMap]:
    """`network` on one chunk after the other. Holds one chunk and, for every tile, the tails of its convolutions."""
    streams: dict[tuple[int, int], Stream] = defaultdict(lambda: Stream(as_released))
    for chunk in chunks:
        if tiles and tiles.are_smaller_than(chunk):
            yield tiled(chunk, lambda tile, place: network(tile, streams[place]), tiles)
        else:
            yield network(chunk, streams[0, 0])


def clip_through(
    network: Network, x: Map, size: int, as_released: bool, tiles: Tiles | None = None, growth: int | None = None
) -> NewMap:
    """`network` on a whole clip: the same numbers as `stream_through`, but tile by tile, so that the tails of one tile
    are gone before the next one starts. If each frame after the first chunk becomes `growth` frames, room for the
    result is made once; `torch.cat` would hold it twice. Mirrors: AutoencoderKLCogVideoX._encode and _decode.
    """
    if tiles and tiles.are_smaller_than(x):
        return tiled(x, lambda tile, _: clip_through(network, tile, size, as_released, None, growth), tiles)
    frames = x.shape[2]
    parts = stream_through(network, cut([x], size, frames, as_released), as_released)
    first = next(parts)
    later = max(0, frames - first_chunk(size, frames, as_released))
    if not growth or not later:
        return torch.cat([first, *parts], dim=2)
    done = first.shape[2]
    out = first.new_empty(*first.shape[:2], done + growth * later, *first.shape[3:])
    out[:, :, :done] = first
    for part in parts:
        out[:, :, done : done + part.shape[2]] = part
        done += part.shape[2]
    return out[:, :, :done]


def check_causal_frames(frames: int, multiple: int) -> None:
    """Refuse a number of frames that is not frame 0 and whole groups of `multiple`."""
    if frames < 1 or frames % multiple != 1 % multiple:
        below = max(1, (frames - 1) // multiple * multiple + 1)
        near = f"{below} or {below + multiple}" if frames > 1 else f"1 or {1 + multiple}"
        raise SizeError(
            f"frames={frames} does not fit: frame 0 stands alone and every {multiple} later ones share a latent "
            f"frame; use {near}"
        )


def without_gradients(network: Network) -> Network:
    """For streams: gradients would tie every chunk to all chunks before it."""
    return torch.no_grad()(lambda x, stream: network(x, stream))
