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


def check_frames(frames: int) -> None:
    """Refuse a frame count that stock diffusers would not give back.

    Its VAE takes "odd chunk" for "contains frame 0": only 8k+1 frames survive the round trip (5 would return as 8).
    Raises SizeError with the two nearest counts that work.
    """
    if frames < 1 or frames % 8 != 1:
        below = max(1, (frames - 1) // 8 * 8 + 1)
        near = f"{below} or {below + 8}" if frames > 1 else "1 or 9"
        raise SizeError(f"frames={frames} does not fit: the VAE gives back only 8k+1 frames; use {near}")


def check_size(height: int, width: int) -> None:
    """Refuse a height or width that does not divide into whole patches (8 pixels a latent, 2 latents a patch)."""
    multiple = SPATIAL * PATCH
    for name, value in (("height", height), ("width", width)):
        if value < multiple or value % multiple:
            below = max(multiple, value // multiple * multiple)
            near = f"{below} or {below + multiple}" if value > multiple else f"{multiple}"
            raise SizeError(f"{name}={value} does not fit: it must be a multiple of {multiple} pixels; use {near}")
