"""The study of `docs/localisation.md`: clips, runs, and one row of scores each, kept as soon as it is there.

Scenes, prompts and seeds follow from a clip's number. A row belongs to the weights that it was measured with.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from cogkit.clips import to_frames, to_video
from cogkit.jsonl import add_line
from cogkit.localisation.faithfulness import faithfulness
from cogkit.localisation.measures import auc
from cogkit.localisation.noised import noise_levels, showing
from cogkit.localisation.regions import token_region
from cogkit.localisation.rows import read_rows
from cogkit.localisation.scoring import MEASURES, SCALES, candidates, maps_of, scores, single_calls
from cogkit.recording.concepts import concepts
from cogkit.recording.recipes import PREFERRED, Recipe
from cogkit.recording.record import record
from cogkit.recording.selectors import maps
from cogkit.recording.weights import fingerprint
from cogkit.shapes import Latents
from cogkit.world.captions import canonical
from cogkit.world.judge import read_video, segment
from cogkit.world.render import render
from cogkit.world.scene import Scene, sample_scene

SCENES = 22_000_000  # seeds that neither training nor evaluation throws
FRAMES, SIZE, STEPS, GUIDANCE = 17, 128, 20, 6.0
LEVELS = (999, 799, 599, 399, 199)  # train timesteps at which true clips are shown, noised
CUT_AT = 599  # where faithfulness is asked
IN_PROMPT = tuple(scale for scale in SCALES if not scale.startswith("concepts"))
KINDS = ("generated", "noised", "noised, two objects")


def study(pipe, clips: int, pairs: int, path: Path) -> list[dict]:
    """Measure `clips` generated clips, as many noised renderings, and `pairs` renderings of two objects.

    Fills `path`, a file of JSON lines, and goes on with what is missing. Returns its rows.
    Raises RowsError if the file has rows of other weights.
    """
    weights = fingerprint(pipe)
    rows = read_rows(path, weights)
    done = {(row["kind"], row["clip"]) for row in rows if _up_to_date(row)}
    wanted = [(kind, clip) for clip in range(max(clips, pairs)) for kind in KINDS]
    wanted = [(kind, clip) for kind, clip in wanted if clip < (pairs if kind == KINDS[2] else clips)]
    missing = [key for key in wanted if key not in done]
    measure = dict(zip(KINDS, (generated, noised, two_objects), strict=True))
    for kind, clip in tqdm(missing, desc="localisation", mininterval=2):
        row = {"kind": kind, "clip": clip, "weights": weights} | measure[kind](pipe, clip)
        add_line(path, row)
        rows = [old for old in rows if (old["kind"], old["clip"]) != (kind, clip)] + [row]
    return [row for row in rows if (row["kind"], row["clip"]) in set(wanted)]


@torch.no_grad()
def generated(pipe, clip: int) -> dict:
    """The model draws the scene from its sentence; the judge, which does not know it, says where the object is."""
    scene = scene_of(clip)
    thing, prompt = scene.things[0], canonical(scene)
    with record(pipe, *_selectors([thing.shape, thing.colour], [thing.shape])) as rec:
        video = pipe(
            prompt,
            num_frames=FRAMES,
            height=SIZE,
            width=SIZE,
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE,
            generator=torch.Generator().manual_seed(clip),
            output_type="pt",
        ).frames
    frames = to_frames(video.transpose(1, 2) * 2 - 1)[0]
    seen = read_video(frames).things
    row = {"prompt": prompt, "seen": [[s.colour, s.shape] for s in seen], "shape right": False}
    if not seen:
        return row
    found = next((s for s in seen if s.colour == thing.colour), seen[0])
    row["shape right"] = found.shape == thing.shape
    region = token_region(segment(frames, found.colour))
    return row | _scored(rec.run, thing, region, clip) if region.any() else row


@torch.no_grad()
def noised(pipe, clip: int) -> dict:
    """The model is shown a true rendering under noise; its masks say where the object is."""
    scene = scene_of(clip)
    thing, prompt = scene.things[0], canonical(scene)
    latents, masks = _shown(pipe, scene, clip)
    with (
        showing(pipe, latents, LEVELS) as call,
        record(pipe, *_selectors([thing.shape, thing.colour], [thing.shape])) as rec,
    ):
        call(prompt)
    region = token_region(masks[0])
    row = {"prompt": prompt} | _scored(rec.run, thing, region, clip)
    (best,) = maps_of(rec.run, thing.shape, [PREFERRED[0]])
    cut = faithfulness(
        pipe, prompt, thing.shape, latents[LEVELS.index(CUT_AT)], CUT_AT, best, region, regions=3, seed=clip
    )
    return row | {"cut by": _preferred(), "cut": cut._asdict() | {"random": list(cut.random)}}


@torch.no_grad()
def two_objects(pipe, clip: int) -> dict:
    """Does "circle" find the circle, or any object? Two things of different shapes, each asked for by its own word."""
    scenes = (sample_scene((SCENES, clip, k), things=2, pairs="all") for k in range(100))
    scene = next(scene for scene in scenes if scene.things[0].shape != scene.things[1].shape)
    words, prompt = [thing.shape for thing in scene.things], canonical(scene)
    latents, masks = _shown(pipe, scene, clip)
    with showing(pipe, latents, LEVELS) as call, record(pipe, *_selectors(words, words)) as rec:
        call(prompt)
    regions, recipes = [token_region(mask) for mask in masks], candidates()
    one = regions[0] ^ regions[1]  # tokens of one of them alone
    found, apart = [], []
    for word, region in zip(words, regions, strict=True):
        drawn = maps_of(rec.run, word, recipes)
        found.append(auc(drawn, region))
        apart.append(auc(drawn[:, one, None, None], region[one, None, None]))
    return {
        "prompt": prompt,
        "auc": dict(zip(map(str, recipes), np.mean(found, 0).round(4).tolist(), strict=True)),
        "apart": dict(zip(map(str, recipes), np.mean(apart, 0).round(4).tolist(), strict=True)),
    }


def scene_of(clip: int) -> Scene:
    return sample_scene(SCENES + clip, things=1, pairs="all")


def _preferred() -> str:
    return str(PREFERRED[0])


def _up_to_date(row: dict) -> bool:
    """False when the preferred recipe is another now, and the row knows nothing of it."""
    return (
        _preferred() in row.get("shape", row.get("auc", [_preferred()]))
        and row.get("cut by", _preferred()) == _preferred()
    )


def _selectors(words: list[str], as_concepts: list[str]) -> Iterator:
    """What all recipes need, head by head."""
    yield maps("video->text", words=dict.fromkeys([*words, "background"]), heads="each", dtype="float32")
    yield maps("text->video", words=dict.fromkeys(words), heads="each", dtype="float32")
    yield concepts(*as_concepts, heads="each")


def _shown(pipe, scene: Scene, seed: int) -> tuple[list[Latents], np.ndarray]:
    """A true clip's latents at every noise level, and its masks."""
    frames, masks = render(scene, FRAMES, SIZE)
    mean = pipe.vae.encode(to_video(frames).to(pipe.vae.dtype)).latent_dist.mode()
    x0 = mean.transpose(1, 2) * pipe.vae_scaling_factor_image
    return noise_levels(pipe, x0, LEVELS, seed), masks


def _scored(run, thing, region: np.ndarray, clip: int) -> dict:
    """All recipes for the shape word; the colour word, and what should know nothing of the object, for comparison."""
    recipes, whole = candidates(), [Recipe(scale) for scale in IN_PROMPT]
    drawn = maps_of(run, thing.shape, recipes)
    stranger = token_region(render(scene_of(clip + 1), FRAMES, SIZE).masks[0])  # where another clip's object is
    controls = {"background": ("background", "share"), "padding": ("<pad>", "mass"), "end mark": ("<eos>", "mass")}
    return {
        "timesteps": run["video->text"].train_timestep.values.tolist(),
        "tokens": int(region.sum()),
        "shape": dict(zip(map(str, recipes), scores(drawn, region), strict=True)),
        "elsewhere": dict(
            zip(map(str, recipes), np.ravel(scores(drawn, stranger, {"auc": auc})).tolist(), strict=True)
        ),
        "colour": dict(zip(map(str, whole), scores(maps_of(run, thing.colour, whole), region, MEASURES), strict=True)),
        "controls": {
            name: scores(maps_of(run, word, [Recipe(scale)]), region, {"auc": auc})[0][0]
            for name, (word, scale) in controls.items()
        },
        "calls": {
            scale: single_calls(run, thing.shape, scale, region) for scale in ("mass", "share", "reads", "concepts")
        },
    }
