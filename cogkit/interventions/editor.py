"""What all interventions share: where they act, and whether they ever did."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from cogkit.interventions.regions import Region, check_words
from cogkit.recording.act_recorder import chosen_branches
from cogkit.recording.layout import Layout, anatomy
from cogkit.recording.points import READ_ONLY, SAMPLER, Point, UnknownPoint, choose, match_points
from cogkit.recording.tokens import TextSlots
from cogkit.recording.visitor import Visitor


class InterventionError(ValueError):
    """An intervention that asks for something that does not fit together, or that never took place."""


@dataclass(frozen=True, eq=False)
class Where:
    """Which part of a run: steps, guidance branch, heads, tokens."""

    steps: object = "all"
    branch: str = "both"
    heads: object = "all"
    tokens: object = None  # a Region

    def __post_init__(self):
        if self.branch not in ("cond", "uncond", "both"):
            near = get_close_matches(str(self.branch), ("cond", "uncond", "both"), n=1, cutoff=0.3) or ["cond"]
            raise InterventionError(f"branch={self.branch!r} is unknown; nearest: {near[0]}")
        if self.tokens is not None and not isinstance(self.tokens, Region):
            raise InterventionError(f"tokens={self.tokens!r} is no region; write cogkit.region(...)")

    def __str__(self) -> str:
        given = {"steps": self.steps, "branch": self.branch, "heads": self.heads, "tokens": self.tokens}
        return ", ".join(f"{name}={value}" for name, value in given.items() if value not in ("all", None))


class Intervention:
    """A value that can be used any number of times. `str` of it is the same for the same intervention."""

    def editor(self, pipe) -> "Editor":
        """Bound to one pipeline. Raises UnknownPoint or InterventionError for what this model does not have."""
        raise NotImplementedError


class Editor(Visitor):
    """One intervention at work on one pipeline."""

    edits = True

    def __init__(self, pipe, points: list[Point], where: Where):
        self.pipe, self.where, self.points = pipe, where, set(points)
        self.sizes = anatomy(pipe)
        self.kinds = frozenset(point.kind for point in points)
        self.heads = choose("heads", where.heads, self.sizes.heads)
        self.due = self.done = 0  # edits, over all runs
        self._layers: list[int] = []  # of the edits of this step, within blocks
        self._attended = False  # has attention ever been seen to run?

    def prompted(self, prompts, negatives) -> None:
        if self.where.tokens is not None and prompts:  # before the text encoder runs
            check_words(self.where.tokens.words, [*prompts, *negatives])

    def spoken(self, prompts: Iterable[TextSlots], negatives: Iterable[TextSlots]) -> tuple[TextSlots, ...]:
        """The texts of the branches that are edited."""
        return {"cond": (*prompts,), "uncond": (*negatives,), "both": (*prompts, *negatives)}[self.where.branch]

    def begin(self, layout: Layout) -> None:
        self.layout, self._masks, self._layers = layout, {}, []
        self.steps = set(choose("steps", self.where.steps, layout.steps))
        self.branches = chosen_branches(self.where.branch, layout)
        self.rows = layout.batch_rows(self.branches)
        self.due += len(self.steps) * len(self.points)
        if self.where.tokens is not None:
            self.tokens(self.where.tokens)

    def wants(self, kind: str, layer: int | None, step: int) -> bool:
        return (kind, layer) in self.points and step in self.steps

    def visit(self, kind: str, layer: int | None, value, step: int):
        if layer is None:
            self.done += 1
        else:
            self._layers.append(layer)
        return self.edit(kind, layer, value, step)

    def step_done(self, step: int, attended: set[int]) -> None:
        """Count the edits of what was computed: a change to what a cache had put there is none."""
        self._attended = self._attended or bool(attended)
        self.done += sum(layer in attended or not self._attended for layer in self._layers)
        self._layers = []

    def edit(self, kind: str, layer: int | None, value, step: int):
        raise NotImplementedError

    def tokens(self, region: Region) -> Bool[np.ndarray, "row S"]:
        """Which tokens of every batch row are in the region. Raises UnknownWord if no chosen row has its words."""
        layout = self.layout
        texts = [layout.slots(branch, sample) for branch in layout.branches for sample in range(layout.samples)]
        check_words(region.words, [texts[row] for row in self.rows])
        video = region.video(layout).ravel()
        return np.stack([np.concatenate([region.text(slots, layout.text), video]) for slots in texts])

    def mask(self, kind: str, value: Tensor) -> Bool[Tensor, "..."]:
        """True where `value` is to change; it broadcasts against it."""
        if kind not in self._masks:
            self._masks[kind] = self._mask(kind).to(value.device)
        return self._masks[kind]

    def _mask(self, kind: str) -> Tensor:
        layout, region = self.layout, self.where.tokens
        if kind in SAMPLER:
            return self._latent_mask(region)
        rows = torch.zeros(layout.samples * len(layout.branches), dtype=torch.bool)
        rows[self.rows] = True
        if kind == "temb" or kind.startswith("adaln"):
            return rows[:, None]
        tokens = np.ones((len(rows), layout.tokens), bool) if region is None else self.tokens(region)
        text = kind.endswith(".text") or kind == "prompt_embeds"
        if not has_heads(kind):
            tokens = tokens[:, : layout.text] if text else tokens[:, layout.text :]
        if not tokens[self.rows].any():
            has = "text" if text else "video"
            raise InterventionError(f"{region} holds no token of {kind!r}, which has {has} only")
        found = rows[:, None] & torch.from_numpy(tokens)
        if not has_heads(kind):
            return found[..., None]
        heads = torch.zeros(self.sizes.heads, dtype=torch.bool)
        heads[self.heads] = True
        return heads[None, :, None, None] & found[:, None, :, None]

    def _latent_mask(self, region: Region | None) -> Tensor:
        """The region's patches, in latent frames and latent pixels."""
        if region is None:
            return torch.ones((), dtype=torch.bool)
        if not region.video(self.layout).any():
            raise InterventionError(f"{region} holds no patch; the sampler's latents have no text")
        config, (frames, _, height, width) = self.pipe.transformer.config, self.layout.latents
        found = torch.from_numpy(region.video(self.layout))
        for axis, size in enumerate((getattr(config, "patch_size_t", None) or 1, config.patch_size, config.patch_size)):
            found = found.repeat_interleave(size, axis)
        return found[:frames, None, :height, :width]


def has_heads(kind: str) -> bool:
    return kind.startswith("attn.")


def editable_points(pipe, patterns: tuple[str, ...], where: Where) -> list[Point]:
    """The points that the patterns match. Raises if `where` asks for what one of them does not have."""
    points = match_points(patterns, pipe.transformer.config.num_layers)
    for point in points:
        kind = point.kind
        if kind in READ_ONLY:
            why = "it follows from 'latents' and 'model_output'; edit these"
            if kind.startswith("vae."):
                why = "the VAE runs before or after the denoiser; edit 'latents', or what you give to the pipeline"
            raise UnknownPoint(f"{kind!r} can be recorded, not edited: {why}")
        if where.heads != "all" and not has_heads(kind):
            raise InterventionError(f"{str(point)!r} has no heads any more; they are at attn.q, attn.k, attn.v, attn.z")
        if where.tokens is not None and (kind == "temb" or kind.startswith("adaln")):
            raise InterventionError(f"{str(point)!r} is one vector for all tokens; leave tokens= out")
        if kind in SAMPLER and where.branch == "uncond":
            raise InterventionError(f"{kind!r} has no branches: guidance has put them together; leave branch= out")
    return points


def near(what: str, value, known) -> str:
    """The sentence for a name that does not exist."""
    hits = get_close_matches(str(value), known, n=2, cutoff=0.4) or list(known)
    return f"{what}={value!r} is unknown; nearest: {', '.join(hits)}"
