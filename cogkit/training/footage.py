"""What the VAE trains on: crops of moving shapes drawn at their final scale, and crops of real clips."""

from pathlib import Path

import numpy as np

from cogkit.clips import read_clip, to_video
from cogkit.shapes import Video
from cogkit.world.render import render
from cogkit.world.scene import sample_scene


class Footage:
    """An endless, seeded supply of clips. `batch(step)` depends on the seed and the step only, so training resumes."""

    def __init__(self, clips: list[Path], seed: int = 0):
        self.clips = [read_clip(path) for path in clips]
        self.seed = seed

    def batch(self, step: int, count: int, frames: int, crop: int, film: float = 0.35) -> Video:
        """`film`: the share of real clips."""
        return to_video(np.stack([self._clip((self.seed, step, k), frames, crop, film) for k in range(count)]))

    def _clip(self, seed: tuple[int, ...], frames: int, crop: int, film: float) -> np.ndarray:
        dice = np.random.default_rng(seed)
        if self.clips and dice.random() < film:
            return self._real(dice, frames, crop)
        return self._shapes(seed, dice, frames, crop)

    def _shapes(self, seed: tuple[int, ...], dice: np.random.Generator, frames: int, crop: int) -> np.ndarray:
        scene = sample_scene(seed, things=2)  # both, because a crop sees only a part
        size = 128 if dice.random() < 0.85 else 64
        size = max(size, crop)
        whole = render(scene, frames, size).frames
        if crop < size:
            # Look where something is: a window around a thing, somewhere in its path.
            x, y, _ = scene.things[dice.integers(2)].at(dice.uniform(0, (frames - 1) / 8))
            top, left = (
                int(np.clip(c * size - crop / 2 + dice.integers(-crop // 3, crop // 3 + 1), 0, size - crop))
                for c in (y, x)
            )
            whole = whole[:, top : top + crop, left : left + crop]
        return whole

    def _real(self, dice: np.random.Generator, frames: int, crop: int) -> np.ndarray:
        """A window of a real clip: any place, any moment, forwards or backwards, mirrored, every n-th frame."""
        clip = self.clips[dice.integers(len(self.clips))]
        stride = int(min(dice.integers(1, 4), (len(clip) - 1) // max(frames - 1, 1)))
        length = (frames - 1) * stride + 1
        start = dice.integers(len(clip) - length + 1)
        top, left = dice.integers(clip.shape[1] - crop + 1), dice.integers(clip.shape[2] - crop + 1)
        window = clip[start : start + length : stride, top : top + crop, left : left + crop]
        window = window[::-1] if dice.random() < 0.5 else window
        return window[:, :, ::-1] if dice.random() < 0.5 else window
