"""The axis letters of every signature, and the arithmetic that ties pixels to latents.

b batch, F pixel frames, t latent frames, c channels, H W pixels, h w latent pixels.
A causal VAE keeps frame 0 for itself and folds every four later frames into one: F = 4 (t - 1) + 1, H = 8 h, W = 8 w.
"""

from jaxtyping import Float
from torch import Tensor

Video = Float[Tensor, "b c F H W"]  # pixels in [-1, 1], the VAE's axis order
Latents = Float[Tensor, "b t c h w"]  # scaled, the transformer's axis order

SPATIAL = 8  # pixels per latent pixel
TEMPORAL = 4  # frames per latent frame, after the first
PATCH = 2  # latent pixels per token, along y and x


class SizeError(ValueError):
    """A frame count or a size that the model cannot represent."""


def latent_frames(frames: int) -> int:
    """How many latent frames stand for `frames` pixel frames."""
    return (frames - 1) // TEMPORAL + 1


def pixel_frames(latent: int) -> int:
    """How many pixel frames `latent` latent frames decode to."""
    return TEMPORAL * (latent - 1) + 1


def time_shares(frames: int, ranks: int, past_frames: int = 2) -> list[range]:
    """Which frames each of so many processes holds: equal parts in order of time, and frame 0 extra, for rank 0.

    A causal convolution asks the left neighbour for its last `past_frames`, so every part must have as many.
    As in the original code (SAT, cp_enc_dec.py). Raises SizeError with the numbers of ranks that work.
    """
    rest = frames - 1
    if ranks < 1 or rest % ranks or (ranks > 1 and rest // ranks < past_frames):
        works = [n for n in range(1, rest + 1) if rest % n == 0 and (n == 1 or rest // n >= past_frames)] or [1]
        raise SizeError(
            f"ranks={ranks} does not fit {frames} frames: apart from frame 0 they are cut into equal parts of at least "
            f"{past_frames}; use {', '.join(map(str, works))}"
        )
    share = rest // ranks
    return [range(1 + rank * share if rank else 0, 1 + (rank + 1) * share) for rank in range(ranks)]


def check_frames(frames: int, multiple: int = 2 * TEMPORAL) -> None:
    """Refuse a frame count that the VAE would not give back.

    Frame 0 stands alone, later ones go in groups of four: 4k+1 (`multiple=TEMPORAL`). The stock VAE takes "odd chunk"
    for "contains frame 0", so of these only 8k+1 survive its round trip (5 would return as 8).
    Raises SizeError with the two nearest counts that work.
    """
    if frames < 1 or (frames - 1) % multiple:
        below = max(1, (frames - 1) // multiple * multiple + 1)
        near = f"{below} or {below + multiple}" if frames > 1 else f"1 or {1 + multiple}"
        raise SizeError(f"frames={frames} does not fit: the VAE gives back only {multiple}k+1 frames; use {near}")


def check_size(height: int, width: int, multiple: int = SPATIAL * PATCH) -> None:
    """Refuse a height or width that does not divide into whole patches (8 pixels a latent, 2 latents a patch).

    The VAE alone asks for whole latents only (`multiple=SPATIAL`). Raises SizeError with the nearest sizes that work.
    """
    for name, value in (("height", height), ("width", width)):
        if value < multiple or value % multiple:
            below = max(multiple, value // multiple * multiple)
            near = f"{below} or {below + multiple}" if value > multiple else f"{multiple}"
            raise SizeError(f"{name}={value} does not fit: it must be a multiple of {multiple} pixels; use {near}")
