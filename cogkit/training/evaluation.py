"""The scores of a checkpoint, all from one command: what the VAE keeps, and what the judge reads in generated videos.

Prompts, scenes and seeds follow from the row's name alone. A row is written as soon as it is finished; an
interrupted evaluation goes on with the first row that is missing.
"""

import json
from pathlib import Path

import mediapy
import numpy as np
import torch
from tqdm.auto import tqdm

from cogkit.checkpoints import load
from cogkit.clips import filmstrip, to_frames, to_video
from cogkit.shapes import Video
from cogkit.training.vae import UNSEEN, psnr, reconstruct, reference_code, unseen_real, unseen_shapes
from cogkit.world.captions import canonical
from cogkit.world.judge import read_video
from cogkit.world.render import render
from cogkit.world.scene import sample_scene
from cogkit.world.scores import Scores

BATCH = 4
PROMPT_SCENES = UNSEEN + 1_000_000
FAILURES_SHOWN = 8


def evaluate(checkpoint: str, prompts: int, guidances: list[float], out: Path) -> dict:
    """Fill `out` (JSON) row by row and return it; failed clips are shown in a picture beside it."""
    pipe = load(checkpoint)
    pipe.set_progress_bar_config(disable=True)
    rows = {"vae": lambda: vae_scores(pipe.vae), "judge on renderings": lambda: judge_scores(200)}
    rows["judge on reconstructions"] = lambda: judge_scores(
        100, lambda video: reconstruct(pipe.vae, video.to(pipe.vae.dtype))
    )
    for things, pairs in ((1, "held out"), (1, "training"), (2, "held out"), (2, "training")):
        rows[f"{things} object, {pairs} pairs"] = lambda a=(things, pairs): text_to_video(pipe, prompts, *a, out=out)
    rows["9 frames"] = lambda: text_to_video(pipe, prompts // 2, 1, "held out", frames=9)
    rows["1 frame"] = lambda: text_to_video(pipe, prompts // 2, 1, "held out", frames=1)
    rows["64x64"] = lambda: text_to_video(pipe, prompts // 2, 1, "held out", size=64)
    rows["32 text slots"] = lambda: text_to_video(pipe, prompts // 2, 1, "held out", slots=32)
    for guidance in guidances:
        rows[f"guidance {guidance:g}"] = lambda g=guidance: text_to_video(pipe, prompts // 2, 1, "held out", guidance=g)

    scores = json.loads(out.read_text()) if out.exists() else {}
    out.parent.mkdir(parents=True, exist_ok=True)
    for name, measure in rows.items():
        if name not in scores:
            print(name, flush=True)
            scores[name] = measure()
            print(json.dumps({k: v for k, v in scores[name].items() if k != "confusions"}), flush=True)
            out.write_text(json.dumps(scores, indent=1) + "\n")
    return scores


@torch.no_grad()
def vae_scores(vae) -> dict[str, float]:
    """PSNR in dB on unseen clips of 17 frames at 128x128, beside the linear code of the same training footage."""
    code, _ = reference_code()
    scores = {}
    for name, videos in (("shapes", unseen_shapes(32)), ("real", unseen_real(6))):
        scores[f"{name}"] = round(psnr(reconstruct(vae, videos.to(vae.dtype)), videos), 2)
        scores[f"{name}, linear code"] = round(psnr(code.decode(code.encode(videos)), videos), 2)
    return scores


def judge_scores(clips: int, through=None) -> dict:
    """What the judge reads in unseen true renderings, as they are or after `through`."""
    scores = Scores()
    for k in tqdm(range(clips), mininterval=2):
        scene = sample_scene(UNSEEN + k, pairs="all")
        frames = render(scene, 17, 128).frames
        if through:
            frames = to_frames(through(to_video(frames)))[0]
        scores.add(scene, read_video(frames))
    return scores.rates() | {"clips": clips, "confusions": scores.confusions()}


@torch.no_grad()
def text_to_video(
    pipe,
    prompts: int,
    things: int,
    pairs: str,
    guidance: float = 6.0,
    frames: int = 17,
    size: int = 128,
    slots: int = 226,
    steps: int = 20,
    out: Path | None = None,
) -> dict:
    """Share of attributes that the judge finds as the prompt says; clip k has scene k, the plainest prompt, seed k."""
    scores, failures = Scores(), []
    for start in tqdm(range(0, prompts, BATCH), mininterval=2):
        seeds = range(start, min(start + BATCH, prompts))
        scenes = [sample_scene(PROMPT_SCENES + k, things=things, pairs=pairs) for k in seeds]
        videos = pipe(
            [canonical(scene, still_frame=frames == 1) for scene in scenes],
            num_frames=frames,
            height=size,
            width=size,
            num_inference_steps=steps,
            guidance_scale=guidance,
            max_sequence_length=slots,
            output_type="pt",
            generator=[torch.Generator().manual_seed(k) for k in seeds],
        ).frames
        for scene, clip in zip(scenes, _as_frames(videos), strict=True):
            if not scores.add(scene, read_video(clip), motion=frames > 1) and len(failures) < FAILURES_SHOWN:
                failures.append(filmstrip(clip, columns=5))
    if out and failures:
        mediapy.write_image(
            str(out.with_name(f"failures-{things}-{pairs.replace(' ', '-')}.png")), np.concatenate(failures)
        )
    return scores.rates() | {"clips": prompts, "confusions": scores.confusions()}


def _as_frames(videos: Video) -> np.ndarray:
    """The pipeline's (b, F, c, H, W) in [0, 1] -> uint8 frames."""
    return to_frames(videos.transpose(1, 2) * 2 - 1)
