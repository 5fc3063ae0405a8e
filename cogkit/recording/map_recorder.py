"""Attention relations, reduced while the call is at hand: words' columns, chosen rows, mass between frames.

Stored as lift = P x S, which is 1 for uniform attention at any size, because a mean probability at 17,776 tokens is
below what fp16 can hold. A word of several pieces is their mean; mass = lift x pieces / S.
"""

from collections.abc import Iterator

import torch

from cogkit.recording.act_recorder import chosen_branches
from cogkit.recording.layout import Anatomy, Layout
from cogkit.recording.pattern import TILE, Pattern
from cogkit.recording.points import choose
from cogkit.recording.slabs import Slab
from cogkit.recording.tokens import GROUPS

EXTRA = tuple(f"<{group}>" for group in GROUPS)  # stand behind the words, so that padding is always there


class MapRecorder:
    """What all relations share: which steps, layers, heads and batch rows, and how an answer is cut into heads."""

    kinds = frozenset({"attn.pattern"})

    def __init__(self, selector, layout: Layout, anatomy: Anatomy):
        self.selector, self.layout, self.anatomy = selector, layout, anatomy
        self.steps = choose("steps", selector.steps, layout.steps)
        self.layers = choose("layers", selector.layers, anatomy.layers)
        self.mean = selector.heads == "mean"
        self.heads = choose("heads", "all" if selector.heads in ("mean", "each") else selector.heads, anatomy.heads)
        self.branches = chosen_branches(selector.branch, layout)
        self.rows = layout.batch_rows(self.branches)
        self.calls = len(self.steps) * len(self.layers) * len(self.rows)  # times one batch row is asked

    def wants(self, kind: str, layer: int | None, step: int) -> bool:
        return kind == "attn.pattern" and layer in self.layers and step in self.steps

    def slab(self, name: str, axes: dict[str, int], coords: dict[str, list], dtype: str | None = None) -> Slab:
        leading = {"step": len(self.steps), "branch": len(self.branches), "sample": self.layout.samples}
        leading |= {"layer": len(self.layers)} | ({} if self.mean else {"head": len(self.heads)})
        labels = {"step": self.steps, "branch": list(self.branches), "layer": self.layers}
        labels |= ({} if self.mean else {"head": self.heads}) | coords
        notes = {"relation": self.selector.relation, "tokens": self.layout.tokens, "heads": str(self.selector.heads)}
        return Slab(self.selector.group, name, leading | axes, labels, dtype or self.selector.dtype, notes)

    def over_heads(self, pattern: Pattern, b: int, width: int, ask) -> torch.Tensor:
        """`ask(heads)` in blocks that fit the chunk; stacked, or their mean."""
        blocks = pattern.head_blocks(width) if len(self.heads) == self.anatomy.heads else None
        blocks = blocks or (slice(head, head + 1) for head in self.heads)
        if not self.mean:
            return torch.cat([ask(heads) for heads in blocks])
        return sum(ask(heads).sum(0) for heads in blocks) / self.anatomy.heads

    def stacked(self, found: list[torch.Tensor]) -> torch.Tensor:
        return torch.stack(found).unflatten(0, (len(self.branches), self.layout.samples))

    def text(self, row: int):
        """The prompt of a batch row (for words, in either branch) and the text in its own slots (for groups)."""
        branch, sample = divmod(row, self.layout.samples)
        return self.layout.slots("cond", sample), self.layout.slots(self.layout.branches[branch], sample)

    def group_slots(self, row: int) -> list[list[int] | None]:
        own = self.text(row)[1]
        return [own.groups[group] if own else None for group in GROUPS]


class VideoToText(MapRecorder):
    """For every video query, its attention on words: columns of P, from the kernel's own normaliser."""

    def __init__(self, selector, layout: Layout, anatomy: Anatomy):
        super().__init__(selector, layout, anatomy)
        self.words = selector.words_of(layout)
        labels = [*self.words, *EXTRA]
        axes = {"frame": layout.frames, "y": layout.height, "x": layout.width, "word": len(labels)}
        slots = [self.slots(row) for row in self.rows]
        self.to_words = [averaging(each, layout.text) * layout.tokens for each in slots]
        self.slabs = [self.slab("lift", axes, {"word": labels})]
        self.slabs[0].notes["pieces"] = [[len(found or ()) for found in each] for each in slots]  # by batch row, word
        multiply = layout.text * (anatomy.head_width + len(labels))
        self.work = 2 * self.calls * len(self.heads) * layout.video * multiply
        self.width = 2 * layout.video * len(labels)  # the tiles' answers, and all of them joined
        tile = min(selector.chunk, TILE, 4 * anatomy.heads * layout.video * layout.text)
        self.scratch = tile + scratch(selector.chunk, self.width, anatomy.heads)

    def slots(self, row: int) -> list[list[int] | None]:
        prompt, _ = self.text(row)
        return [*(self.selector.slots_of(prompt, word) for word in self.words), *self.group_slots(row)]

    def read(self, kind: str, layer: int | None, pattern: Pattern, step: int) -> Iterator:
        text, grid = self.layout.text, self.slabs[0].shape[-4:]
        found = []
        for row, to_words in zip(self.rows, self.to_words, strict=True):
            to_words = to_words.to(pattern.q.device)

            def ask(heads, row=row, to_words=to_words):
                return pattern.columns_onto(row, heads, slice(text, None), slice(0, text), to_words)

            found.append(self.over_heads(pattern, row, self.width, ask))
        found = self.stacked(found)
        yield self.slabs[0], found.reshape(*found.shape[:-2], *grid)


class Rows(MapRecorder):
    """For a few queries (words, or video patches), their attention on the whole video, and on each kind of text."""

    def __init__(self, selector, layout: Layout, anatomy: Anatomy):
        super().__init__(selector, layout, anatomy)
        self.by_word = selector.relation == "text->video"
        if self.by_word:
            self.labels = selector.words_of(layout)
        else:
            self.labels = [f"{frame},{y},{x}" for frame, y, x in selector.queries]
            self.tokens = [layout.token(*query) for query in selector.queries]
        axis, groups = "word" if self.by_word else "query", [*GROUPS, "video"]
        grid = {"frame": layout.frames, "y": layout.height, "x": layout.width, axis: len(self.labels)}
        self.slabs = [
            self.slab("lift", grid, {axis: self.labels}),
            self.slab("mass", {axis: len(self.labels), "group": 4}, {axis: self.labels, "group": groups}, "float32"),
        ]
        self.asked = [self.queries(row) for row in self.rows]
        counts = [[1] * len(self.labels) if words is None else [len(w or ()) for w in words] for _, words in self.asked]
        self.slabs[0].notes["pieces"] = counts
        asked = sum(len(tokens) for tokens, _ in self.asked) / len(self.rows)
        multiply = anatomy.head_width + (len(self.labels) if self.by_word else 0)
        self.work = round(2 * self.calls * len(self.heads) * asked * layout.tokens * multiply)
        self.width = round(asked + 1) * layout.tokens * 2 + layout.tokens * anatomy.head_width
        self.scratch = scratch(selector.chunk, self.width, anatomy.heads)

    def queries(self, row: int) -> tuple[list[int], list[list[int] | None] | None]:
        """The tokens to ask for, and which of them make up each word."""
        if not self.by_word:
            return self.tokens, None
        prompt, _ = self.text(row)
        slots = [self.selector.slots_of(prompt, word) for word in self.labels]
        asked = sorted({slot for found in slots for slot in found or ()})
        return asked, [None if found is None else [asked.index(slot) for slot in found] for found in slots]

    def read(self, kind: str, layer: int | None, pattern: Pattern, step: int) -> Iterator:
        maps, masses = [], []
        text, device = self.layout.text, pattern.q.device
        for row, (asked, words) in zip(self.rows, self.asked, strict=True):
            index = torch.tensor(asked, device=device)
            to_words = None if words is None else averaging(words, len(asked)).T.to(device)

            def ask(heads, row=row, index=index, to_words=to_words):
                found = pattern.rows(row, heads, index)
                return found if to_words is None else to_words @ found

            found = self.over_heads(pattern, row, self.width, ask)
            maps.append(found[..., text:].mT * self.layout.tokens)
            nothing = torch.full_like(found[..., 0], torch.nan)
            sums = [nothing if s is None else found[..., s].sum(-1) for s in self.group_slots(row)]
            masses.append(torch.stack([*sums, found[..., text:].sum(-1)], -1))
        maps, masses = self.stacked(maps), self.stacked(masses)
        yield self.slabs[0], maps.reshape(*maps.shape[:-2], *self.slabs[0].shape[-4:])
        yield self.slabs[1], masses


def averaging(slots: list[list[int] | None], size: int) -> torch.Tensor:
    """(size, word): the mean over each word's slots; NaN where a prompt has no such word, 0 for an empty group."""
    matrix = torch.zeros(size, len(slots))
    for word, found in enumerate(slots):
        matrix[slice(None) if found is None else found, word] = torch.nan if found is None else 1 / max(1, len(found))
    return matrix


def scratch(chunk: int, width: int, heads: int) -> int:
    """Bytes: as many heads of `width` numbers as fit into the chunk, one at least."""
    return min(heads, max(1, chunk // (4 * width))) * 4 * width
