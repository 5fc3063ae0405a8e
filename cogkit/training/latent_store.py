"""Scenes encoded once. The transformer trains on these latents; captions are phrased anew every time."""

import hashlib
from pathlib import Path

import torch
from tqdm.auto import tqdm

from cogkit.checkpoints import cpu_has_fast_bf16
from cogkit.clips import to_video
from cogkit.shapes import Latents, latent_frames
from cogkit.training.loop import save_atomically
from cogkit.world.render import render
from cogkit.world.scene import Scene

LONGEST = 17


class LatentStore:
    """Latents of scenes at one size, in memory as fp16: of clips of 17 frames, or of their first frames alone.

    A clip of 9 frames is the first chunk of a clip of 17, so its latents are the first three of five, exactly. A single
    frame is normalised alone and needs an encoding of its own.
    """

    def __init__(self, scenes: list[Scene], size: int, latents: Latents):
        self.scenes, self.size = scenes, size
        self._latents = latents

    def latents(self, which: torch.Tensor, frames: int) -> Latents:
        return self._latents[which, : latent_frames(frames)].float()


def encode_scenes(
    vae, scenes: list[Scene], size: int, path: Path, frames: int = LONGEST, batch: int = 4
) -> LatentStore:
    """Encode scenes, or read them back from `path` if the same VAE has encoded the same scenes before."""
    made_by = {"vae": fingerprint(vae), "scenes": _digest(repr(scenes).encode()), "size": size, "frames": frames}
    if path.exists():
        stored = torch.load(path, weights_only=True)
        if all(stored.get(key) == value for key, value in made_by.items()):
            return LatentStore(scenes, size, stored["latents"])
    latents = []
    described = f"encoding {len(scenes)} scenes of {frames} x {size} x {size}"
    for start in tqdm(range(0, len(scenes), batch), desc=described, mininterval=2):
        clips = [to_video(render(scene, frames, size).frames) for scene in scenes[start : start + batch]]
        latents.append(_encode(vae, torch.cat(clips)))
    store = LatentStore(scenes, size, torch.cat(latents))
    save_atomically(made_by | {"latents": store._latents}, path)
    return store


@torch.no_grad()
def _encode(vae, videos) -> Latents:
    with torch.autocast("cpu", torch.bfloat16, enabled=cpu_has_fast_bf16()):
        mean = vae.encode(videos).latent_dist.mode()
    return (mean.float() * vae.config.scaling_factor).transpose(1, 2).half()


def fingerprint(vae) -> str:
    """Tells one encoder from another: latents of one mean nothing to the decoder of the other."""
    weights = b"".join(p.detach().float().numpy().tobytes() for p in vae.encoder.parameters())
    return _digest(weights)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
