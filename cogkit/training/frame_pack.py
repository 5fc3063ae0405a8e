"""What a step of the transformer trains on: clips of several sizes and durations, with sentences and noise.

Frame pack (paper, section 3.1): durations are mixed within every step. Clips of one kind make a batch, so no clip
attends to another. Everything about step n follows from (seed, n).
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from diffusers import AutoencoderKLCogVideoX
from jaxtyping import Int
from torch import Tensor

from cogkit.training import miscount
from cogkit.training.config import Config, Group
from cogkit.training.contradiction import answer, contradicted, lie
from cogkit.training.diffusion import Noised, add_noise, new_scheduler
from cogkit.training.latent_store import LONGEST, LatentStore, encode_scenes
from cogkit.training.text import UNSEEN_WORD
from cogkit.training.timesteps import explicit_uniform
from cogkit.training.vae import UNSEEN
from cogkit.world.captions import phrased
from cogkit.world.scene import Scene, Thing, exchangeable, sample_scene

EMPTY_PROMPT_SHARE = 0.1
UNSEEN_WORD_SHARE = 0.08  # a shape must be read from its own word, whatever the colour says


class Batch(NamedTuple):
    """Clips of one kind: what they are, what is said of them, and what the model sees and is to answer."""

    size: int
    frames: int
    scenes: list[Scene]
    prompts: list[str]
    named: list[tuple[Thing, ...]]  # by each prompt, in this order
    t: Int[Tensor, "b"]  # train timesteps
    noised: Noised


class FramePacks:
    """The packs of all steps. Latents are encoded by `vae` when first needed and kept in `folder`."""

    def __init__(self, config: Config, folder: Path, vae: AutoencoderKLCogVideoX):
        self.config = config
        self.alpha_bars = new_scheduler().alphas_cumprod
        self.shown: dict[tuple[int, int], LatentStore] = {}  # by size, and 1 frame or 17
        self.lies: dict[tuple[int, int], LatentStore] = {}
        self.miscounts: dict[tuple[int, int], LatentStore] = {}
        self.unseen: dict[int, LatentStore] = {}
        groups = [group for stage in config.stages for group in stage.groups]
        for size, frames in sorted({_store(group) for group in groups}):
            name, wanted = f"latents-{size}-{frames}", config.scenes(size, frames)
            seeds = itertools.count(size * 1_000_000 + wanted.first)
            thrown = ((seed, sample_scene(seed, two=wanted.two, painted=wanted.painted)) for seed in seeds)
            fair = list(itertools.islice((pair for pair in thrown if _fair(pair[1])), wanted.count))
            scenes = [scene for _, scene in fair]
            self.shown[size, frames] = encode_scenes(vae, scenes, size, folder / f"{name}.pt", frames)
            if wanted.lies:
                lies = [lie(scene, seed, moving=frames > 1) for seed, scene in fair]
                self.lies[size, frames] = encode_scenes(vae, lies, size, folder / f"{name}-lies.pt", frames)
            if wanted.miscounts:
                wrong = [miscount.miscounted(scene, seed) for seed, scene in fair]
                self.miscounts[size, frames] = encode_scenes(vae, wrong, size, folder / f"{name}-miscounts.pt", frames)
        for size in sorted({group.size for group in groups}):
            held_out = range(UNSEEN, UNSEEN + config.data.get("validation_scenes", 64))
            scenes = [sample_scene(seed, pairs="held out") for seed in held_out]
            self.unseen[size] = encode_scenes(vae, scenes, size, folder / f"latents-{size}-held-out.pt")

    def pack(self, step: int) -> tuple[int, Iterator[Batch]]:
        """How many text slots the sentences of this step are padded to, and its batches."""
        stage = self.config.stage_at(step)
        dice = np.random.default_rng((self.config.seed, step))
        generator = torch.Generator().manual_seed(int(dice.integers(2**62)))
        slots = int(dice.choice(stage.text_slots))
        timesteps = explicit_uniform(sum(group.clips for group in stage.groups), generator)
        parts = timesteps.split([group.clips for group in stage.groups])
        return slots, (self._batch(group, t, dice, generator) for group, t in zip(stage.groups, parts, strict=True))

    def held_out(self) -> Iterator[Batch]:
        """Colour-shape pairs that are never trained, with fixed noise, timesteps and phrasing."""
        for size, store in self.unseen.items():
            x0 = store.latents(torch.arange(len(store.scenes)), LONGEST)
            generator = torch.Generator().manual_seed(0)
            noise, t = torch.randn(x0.shape, generator=generator), explicit_uniform(len(x0), generator)
            prompts, named = zip(*(phrased(scene, k) for k, scene in enumerate(store.scenes)), strict=True)
            yield Batch(
                size, LONGEST, store.scenes, list(prompts), list(named), t, add_noise(x0, noise, t, self.alpha_bars)
            )

    def _batch(self, group: Group, t: Tensor, dice: np.random.Generator, generator: torch.Generator) -> Batch:
        of = _store(group)
        store, lies, miscounts = self.shown[of], self.lies.get(of), self.miscounts.get(of)
        chosen = torch.from_numpy(dice.integers(len(store.scenes), size=group.clips))
        scenes, x0 = [store.scenes[k] for k in chosen], store.latents(chosen, group.frames)
        counted = dice.random(group.clips) >= (miscount.SHARE if miscounts else 0)  # of the others the number is wrong
        if lies:
            others, other = [lies.scenes[k] for k in chosen], lies.latents(chosen, group.frames)
            # A lie is a scene as good as any: half of the time the sentence tells it, and the other one is the lie.
            turned = counted & [_fair(scene) and dice.random() < 0.5 for scene in others]
            pairs = [(b, a) if turn else (a, b) for a, b, turn in zip(scenes, others, turned, strict=True)]
            scenes, others = map(list, zip(*pairs, strict=True))
            swap = torch.from_numpy(turned)
            x0[swap], other[swap] = other[swap], x0[swap]
        prompts, named = map(list, zip(*(_prompt(scene, dice, group.frames) for scene in scenes), strict=True))
        shown = x0.clone()
        if lies:
            which = contradicted(scenes, others, prompts, t, dice) & torch.from_numpy(counted)
            shown[which] = other[which]
        if miscounts:
            wrong = [miscounts.scenes[k] for k in chosen]
            weight = miscount.weights(scenes, wrong, named, t, dice) * torch.from_numpy(~counted)
            shown = shown.lerp(miscounts.latents(chosen, group.frames), weight.view(-1, 1, 1, 1, 1))
        noise = torch.randn(x0.shape, generator=generator)
        noised = add_noise(shown, noise, t, self.alpha_bars)
        untrue = (shown != x0).flatten(1).any(1)
        noised.v[untrue] = answer(noised.latents[untrue], x0[untrue], t[untrue], self.alpha_bars)
        return Batch(group.size, group.frames, scenes, prompts, named, t, noised)


def _store(group: Group) -> tuple[int, int]:
    """Where the latents of a group are kept: by size, and single frames apart."""
    return group.size, 1 if group.frames == 1 else LONGEST


def _fair(scene: Scene) -> bool:
    """Not of two things that could not have each other's shape: knowing which pairs there are would do, and what the
    sentence says of which would never be learnt."""
    return len(scene.things) == 1 or exchangeable(scene.things)


def _prompt(scene: Scene, dice: np.random.Generator, frames: int) -> tuple[str, tuple[Thing, ...]]:
    """A fresh phrasing; sometimes nothing, sometimes with a word blotted out, so that unknown words do no harm."""
    if dice.random() < EMPTY_PROMPT_SHARE:
        return "", ()
    said, named = phrased(scene, int(dice.integers(2**31)), still_frame=frames == 1 and dice.random() < 0.8)
    return " ".join(UNSEEN_WORD if dice.random() < UNSEEN_WORD_SHARE else word for word in said.split()), named
