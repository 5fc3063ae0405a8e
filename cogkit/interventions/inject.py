"""Attention maps of another run in the place of this one's: who looks at a word, taken from there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cogkit.interventions.editor import Editor, Intervention, InterventionError, Where
from cogkit.interventions.regions import Region, check_words, region
from cogkit.interventions.sources import Source, check_run, donors
from cogkit.recording.pattern import ColumnEdit, Pattern
from cogkit.recording.points import Point, choose
from cogkit.recording.runs import Run

LEAST = 1e-30  # a probability below it cannot be multiplied up to another


@dataclass(frozen=True, eq=False)
class Injection(Intervention):
    words: tuple[tuple[str, str], ...]  # here, there
    where: Where
    run: Run
    relation: str
    sample: int | None
    layers: object
    queries: Region | None
    renormalise: bool

    def __str__(self) -> str:
        words = ", ".join(f"{here}: {there}" for here, there in self.words)
        notes = f"from_={Source.describe(self.run)}, from_sample={self.sample}, layers={self.layers}"
        more = f"{notes}, relation={self.relation}, queries={self.queries}, renormalise={self.renormalise}"
        return f"inject({', '.join(filter(None, [words, str(self.where), more]))})"

    def editor(self, pipe) -> "InjectionEditor":
        return InjectionEditor(pipe, self)


class InjectionEditor(Editor):
    def __init__(self, pipe, what: Injection):
        self.layers = choose("layers", what.layers, pipe.transformer.config.num_layers)
        super().__init__(pipe, [Point("attn.pattern", layer) for layer in self.layers], what.where)
        self.what, self.lift = what, what.run.datasets.get(what.relation, {}).get("lift")
        if self.lift is None or "word" not in self.lift.dims or self.lift.attrs["relation"] != "video->text":
            raise InterventionError(f"{what.relation!r} holds no columns of words; record maps('video->text') for it")
        if "head" not in self.lift.dims:
            raise InterventionError("it was recorded as a mean over heads; record maps('video->text', heads='each')")

    def prompted(self, prompts, negatives) -> None:
        if prompts:  # before the text encoder runs
            check_words([here for here, _ in self.what.words], self.spoken(prompts, negatives))

    def begin(self, layout) -> None:
        super().begin(layout)
        self._check_source()
        self.samples = donors(self.what.sample, self.lift.sizes.get("sample", 1), layout.samples)
        chosen = self.what.queries or region(frames="all")
        self.asking = np.flatnonzero(chosen.video(layout).ravel())
        by_word = [self.tokens(region(words=here)) for here, _ in self.what.words]
        self.slots = {row: [np.flatnonzero(tokens[row]) for tokens in by_word] for row in self.rows}
        if any(len(found) != len(set(found)) for found in map(np.concatenate, self.slots.values())):
            raise InterventionError(f"{self.what}: its words share slots; name each slot once")

    def _check_source(self) -> None:
        """Raises InterventionError for what the other run does not hold, before anything is computed."""
        wanted = {"step": self.steps, "layer": self.layers, "head": self.heads, "branch": self.branches}
        wanted["word"] = [there for _, there in self.what.words]
        for axis, labels in wanted.items():
            have = self.lift[axis].values.tolist()
            if missing := [label for label in labels if label not in have]:
                raise InterventionError(f"{self.what.relation!r} was recorded with {axis} {have}, not with {missing}")
        here = self.layout.frames, self.layout.height, self.layout.width
        there = tuple(self.lift.sizes[axis] for axis in ("frame", "y", "x"))
        if here != there:
            raise InterventionError(
                f"that run's token grid is {there}, this one's {here}; record a run of the same size"
            )
        if not self.lift.measured.sel(step=sorted(self.steps), layer=self.layers).all():
            raise InterventionError("attention was not computed in all of these steps of that run (a cache?)")

    def mass(self, layer: int, step: int, row: int) -> Float[np.ndarray, "head Q word"]:
        """What the queries paid to each word there; heads that are not chosen are not looked at."""
        branch, sample = divmod(row, self.layout.samples)
        where = {"branch": self.layout.branches[branch], "word": [there for _, there in self.what.words]}
        found = self.lift.sel(step=step, layer=layer, head=self.heads, **where).astype("float32")
        pieces = self.what.run.pieces(self.what.relation).sel(where)
        if "sample" in self.lift.dims:
            found, pieces = (array.isel(sample=self.samples[sample]) for array in (found, pieces))
        found = (found * pieces / self.what.run.notes["tokens"]).transpose("head", "frame", "y", "x", "word").values
        if np.isnan(found).any():
            raise InterventionError(f"{self.what}: that run's sample {self.samples[sample]} has not all of these words")
        return found.reshape(len(found), -1, len(self.what.words))[:, self.asking]

    def edit(self, kind: str, layer: int | None, value: Pattern, step: int) -> list[ColumnEdit]:
        device, edits = value.q.device, []
        queries = torch.from_numpy(self.asking + self.layout.text).to(device)
        for row, by_word in self.slots.items():
            slots = np.concatenate(by_word)
            now = value.columns(row, slice(0, self.sizes.heads), queries, torch.from_numpy(slots).to(device))
            word = torch.tensor([number for number, found in enumerate(by_word) for _ in found], device=device)
            onto = torch.nn.functional.one_hot(word, len(by_word)).to(now)
            there = now @ onto  # heads that are not chosen keep theirs
            there[self.heads] = torch.from_numpy(self.mass(layer, step, row)).to(now)
            factor = self.factor(now @ onto, there)[:, :, word]
            where = (row,), self.what.renormalise, tuple(self.heads), tuple(queries.tolist())
            edits.append(ColumnEdit(tuple(slots.tolist()), factor, *where))
        return edits

    def factor(self, now: Float[Tensor, "head Q word"], there: Float[Tensor, "head Q word"]) -> Tensor:
        """What turns `now` into `there`; renormalised, the other keys share what is left as they did before."""
        if bool(((now < LEAST) & (there > 1e-6)).any()):
            raise InterventionError(
                f"{self.what}: some query pays a word nothing at all; patch attn.q and attn.k instead"
            )
        factor = there / now.clamp(min=LEAST)
        if self.what.renormalise:
            left = [(1 - mass.sum(-1, keepdim=True)).clamp(min=1e-6) for mass in (now, there)]
            factor = factor * left[0] / left[1]
        return factor


def inject(
    words: Mapping[str, str] | Iterable[str] | str,
    from_,
    from_sample: int | None = None,
    relation: str = "video->text",
    renormalise: bool = True,
    layers="all",
    steps="all",
    heads="all",
    branch: str = "cond",
    queries=None,
) -> Injection:
    """The attention of the video on words becomes what it was in a recorded run: {"square": "circle"} is here: there.

    The run is of `maps("video->text", heads="each", dtype="float32")`, of the same size, of any prompt or seed. The
    mass on a word is what is put in; a word of several pieces keeps its own proportions among them. With `renormalise`
    the other keys share the rest as before, so that rows sum to one; without it they stay as they are, as in
    prompt-to-prompt (Hertz et al. 2022). `queries`: a region of the video. "<prompt>", "<eos>" and "<pad>" are words
    too. A word's values: patch("blocks.*.attn.v", from_=run, tokens=region(words=...)).
    Raises RunError or InterventionError for what that run does not hold.
    """
    if isinstance(words, str):
        words = (words,)
    pairs = tuple(words.items()) if isinstance(words, Mapping) else tuple((word, word) for word in words)
    if not pairs:
        raise InterventionError("nothing to inject; give a word, or {word here: word there}")
    if queries is not None and (not isinstance(queries, Region) or queries.words):
        raise InterventionError(
            f"queries={queries}: only the video's attention was recorded; give a region without words"
        )
    if check_run(from_) is None:
        raise InterventionError("from_ is missing; give a finished recording: rec.run, or open_run(...)")
    from_[relation]  # raises RunError, with near matches
    where = Where(steps, branch, heads)
    return Injection(pairs, where, from_, relation, from_sample, layers, queries, renormalise)
