"""Scenes encoded once. The transformer trains on these latents; captions are phrased anew every time."""

import hashlib
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm.auto import tqdm

from cogkit.clips import to_video
from cogkit.shapes import Latents, latent_frames
from cogkit.training.loop import save_atomically
from cogkit.world.render import render
from cogkit.world.scene import Pairs, sample_scene

LONGEST = 17
Still = Float[Tensor, "b 1 c h w"]  # the latents of single frames


class LatentStore:
    """Latents of `count` scenes at one size, in memory as fp16.

    A clip of 9 frames is the first chunk of a clip of 17, so its latents are the first three of five, exactly. A single
    frame is normalised alone and needs an encoding of its own.
    """

    def __init__(self, scenes: range, size: int, long: Latents, still: Still, pairs: Pairs):
        self.size = size
        self.scenes = [sample_scene(seed, pairs=pairs) for seed in scenes]
        self._long, self._still = long, still

    def latents(self, which: torch.Tensor, frames: int) -> Latents:
        if frames == 1:
            return self._still[which].float()
        return self._long[which, : latent_frames(frames)].float()


def encode_scenes(vae, scenes: range, size: int, path: Path, pairs: Pairs = "training", batch: int = 4) -> LatentStore:
    """Encode scenes, or read them back from `path` if the same VAE has encoded the same scenes before."""
    made_by = {"vae": fingerprint(vae), "start": scenes.start, "count": len(scenes), "size": size}
    if path.exists():
        stored = torch.load(path, weights_only=True)
        if all(stored.get(key) == value for key, value in made_by.items()):
            return LatentStore(scenes, size, stored["long"], stored["still"], pairs)
    long, still = [], []
    described = f"encoding {len(scenes)} scenes at {size}x{size}"
    for start in tqdm(range(0, len(scenes), batch), desc=described, mininterval=2):
        some = [sample_scene(seed, pairs=pairs) for seed in scenes[start : start + batch]]
        videos = torch.cat([to_video(render(scene, LONGEST, size).frames) for scene in some])
        long.append(_encode(vae, videos))
        still.append(_encode(vae, videos[:, :, :1]))
    store = LatentStore(scenes, size, torch.cat(long), torch.cat(still), pairs)
    save_atomically(made_by | {"long": store._long, "still": store._still}, path)
    return store


@torch.no_grad()
def _encode(vae, videos) -> Latents:
    with torch.autocast("cpu", torch.bfloat16):
        mean = vae.encode(videos).latent_dist.mode()
    return (mean.float() * vae.config.scaling_factor).transpose(1, 2).half()


def fingerprint(vae) -> str:
    """Tells one encoder from another: latents of one mean nothing to the decoder of the other."""
    weights = b"".join(p.detach().float().numpy().tobytes() for p in vae.encoder.parameters())
    return hashlib.sha256(weights).hexdigest()
