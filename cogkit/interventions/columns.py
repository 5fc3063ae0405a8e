"""Edits of attention: some keys weigh more, less, or nothing, exactly, by correcting the fused kernel's output."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cogkit.interventions.editor import Editor, Intervention, InterventionError, Where
from cogkit.interventions.regions import Region, check_words, region
from cogkit.recording.pattern import ColumnEdit
from cogkit.recording.points import Point, choose


@dataclass(frozen=True, eq=False)
class Reweighting(Intervention):
    factors: tuple[tuple[Region, float], ...]
    where: Where
    layers: object
    queries: Region | None
    renormalise: bool

    def __str__(self) -> str:
        keys = ", ".join(f"{keys}: {factor}" for keys, factor in self.factors)
        notes = f"layers={self.layers}, queries={self.queries}, renormalise={self.renormalise}"
        return f"reweight({', '.join(filter(None, [keys, str(self.where), notes]))})"

    def editor(self, pipe) -> "ColumnEditor":
        return ColumnEditor(pipe, self)


class ColumnEditor(Editor):
    def __init__(self, pipe, what: Reweighting):
        layers = choose("layers", what.layers, pipe.transformer.config.num_layers)
        super().__init__(pipe, [Point("attn.pattern", layer) for layer in layers], what.where)
        self.what = what

    def prompted(self, prompts, negatives) -> None:
        for keys in [keys for keys, _ in self.what.factors] + [self.what.queries] * (self.what.queries is not None):
            if prompts:  # before the text encoder runs
                check_words(keys.words, self.spoken(prompts, negatives))

    def begin(self, layout) -> None:
        super().begin(layout)
        heads = None if len(self.heads) == self.sizes.heads else tuple(self.heads)
        queries = None if self.what.queries is None else self.tokens(self.what.queries)
        self.columns: list[ColumnEdit] = []
        for keys, factor in self.what.factors:
            columns = self.tokens(keys)
            for row in self.rows:
                asking = None if queries is None else _places(queries[row])
                if columns[row].any() and asking != ():
                    found = _places(columns[row]), factor, (row,), self.what.renormalise, heads, asking
                    self.columns.append(ColumnEdit(*found))
        if not self.columns:
            raise InterventionError(f"{self.what}: no such keys or queries in this run (an empty kind of slots?)")

    def edit(self, kind: str, layer: int | None, value, step: int) -> list[ColumnEdit]:
        return self.columns


def _places(inside: np.ndarray) -> tuple[int, ...]:
    return tuple(np.flatnonzero(inside).tolist())


def reweight(
    factors: Mapping,  # word or Region -> number
    renormalise: bool = True,
    layers="all",
    steps="all",
    heads="all",
    branch: str = "cond",
    queries=None,
) -> Reweighting:
    """Multiply the attention on words (or on regions of keys) by a factor: {"red": 2.0, region(frames=0): 0.5}.

    With `renormalise` the probabilities still sum to one: identical to adding log(factor) to the logits, and to masking
    at 0. Without it, as in prompt-to-prompt (Hertz et al. 2022), and factors may be negative. `queries`: who is to
    look differently; None is every token, text too. Words are those of the branch's own text: in "uncond", of the
    negative prompt. A word of which one sample's prompt has none is left alone there.
    """
    for key, factor in dict(factors).items():
        if not isinstance(key, str | Region):
            raise InterventionError(f"{key!r} is neither a word nor a region")
        if not np.isfinite(factor) or (renormalise and factor < 0):
            raise InterventionError(f"factor {factor} for {key!r}: give a number >= 0, or renormalise=False below it")
    if not factors:
        raise InterventionError("nothing to reweight; give {word: factor}")
    if queries is not None and not isinstance(queries, Region):
        raise InterventionError(f"queries={queries!r} is no region; write cogkit.region(...)")
    chosen = tuple((_keys(key), float(factor)) for key, factor in factors.items())
    return Reweighting(chosen, Where(steps, branch, heads), layers, queries, renormalise)


def knock_out(*keys, layers="all", steps="all", heads="all", branch: str = "cond", queries=None) -> Reweighting:
    """No query (or none of `queries`) can attend to these words or regions: identical to masking them."""
    return reweight(dict.fromkeys(keys, 0.0), True, layers, steps, heads, branch, queries)


def _keys(key: str | Region) -> Region:
    return key if isinstance(key, Region) else region(words=key)
