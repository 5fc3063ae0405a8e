"""Video in and out: files, tensors, and filmstrips for the page."""

from pathlib import Path

import imageio_ffmpeg
import mediapy
import numpy as np
import torch
from jaxtyping import UInt8

from cogkit.shapes import Video

mediapy.set_ffmpeg(imageio_ffmpeg.get_ffmpeg_exe())  # the one that pip brought: no system ffmpeg is needed

Frames = UInt8[np.ndarray, "F H W 3"]


def read_clip(path: Path | str) -> Frames:
    """All frames of a video file."""
    return np.asarray(mediapy.read_video(str(path)))


def write_clip(path: Path | str, frames: Frames, fps: int | float = 8) -> None:
    """Write an H.264 MP4 that browsers play; `crf` 12 keeps flat colours clean."""
    mediapy.write_video(str(path), frames, fps=fps, crf=12)


def filmstrip(frames: Frames, columns: int = 9, gap: int = 4) -> UInt8[np.ndarray, "h w 3"]:
    """Frames side by side, evenly chosen when there are more than `columns`, with the first and the last among them."""
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(columns, len(frames))).round().astype(int))
    height = frames.shape[1]
    bar = np.full((height, gap, 3), 255, np.uint8)
    return np.concatenate([part for i in chosen for part in (frames[i], bar)][:-1], axis=1)


def to_video(frames: UInt8[np.ndarray, "*b F H W 3"]) -> Video:
    """uint8 frames, one clip or a batch of them -> a batch of videos in [-1, 1]."""
    frames = frames if frames.ndim == 5 else frames[None]
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 4, 1, 2, 3).float() / 127.5 - 1


def to_frames(video: Video) -> UInt8[np.ndarray, "b F H W 3"]:
    """The inverse of `to_video`, clipped and rounded."""
    return ((video.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 4, 1).cpu().numpy()
