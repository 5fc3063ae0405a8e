"""The noise that a video starts from, and edits of it that show what the noise decides.

Every edit leaves each number a draw from the same normal distribution: only where equal numbers stand changes.
"""

import torch
from diffusers import CogVideoXPipeline

from cogkit.shapes import TEMPORAL, Latents, latent_frames

NOISES = {  # name: what it asks
    "as drawn": "the noise of the seed",
    "mirrored": "left and right swapped: does the video swap them too?",
    "one frame later": "rolled in time, the last latent frame first: does the movement start elsewhere?",
    "one frame for all": "latent frame 0 in the place of every other: does anything still move?",
    "half another seed's": "(this seed's + the next seed's) / sqrt(2): between two videos, or a third?",
}


def initial_noise(pipe: CogVideoXPipeline, frames: int, height: int, width: int, generator: torch.Generator) -> Latents:
    """The draw that the pipeline itself would make first from `generator`: its shape, its dtype, its device."""
    config = pipe.transformer.config
    frames += -latent_frames(frames) % (getattr(config, "patch_size_t", None) or 1) * TEMPORAL  # CogVideoX 1.5 pads
    return pipe.prepare_latents(
        1, config.in_channels, frames, height, width, pipe.text_encoder.dtype, pipe._execution_device, generator
    )


def edit_noise(noise: Latents, edit: str, other: Latents) -> Latents:
    """`edit` is one of NOISES; `other` is the draw of the next seed."""
    if edit == "mirrored":
        return noise.flip(-1)
    if edit == "one frame later":
        return noise.roll(1, dims=1)
    if edit == "one frame for all":
        return noise[:, :1].expand_as(noise).contiguous()
    if edit == "half another seed's":
        return (noise + other) / 2**0.5
    return noise
