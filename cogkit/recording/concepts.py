"""Concept rows: words that read the video along with the prompt, layer by layer, while the video never sees them.

A concept starts as its T5 embedding in a short sentence and goes through every block in the role of text: the text's
AdaLN, q, k, v without RoPE, attention to [concepts; video], the text's gates, the feed-forward. Its map is the dot
product of its attention output with that of every video token, both before `to_out`, set against the other concepts.
After ConceptAttention (Helbling et al., 2025), which attends with the whole sequence a second time; here only the rows
of the concepts are computed, on the keys and values that the block has made anyway.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from cogkit.recording.layout import Anatomy, Layout
from cogkit.recording.map_recorder import MapRecorder, scratch
from cogkit.recording.pattern import Pattern
from cogkit.recording.selectors import MB, SelectorError, check_dtype
from cogkit.recording.tokens import UnknownWord, text_slots
from cogkit.recording.visitor import RecordError

MODULATION = tuple(f"adaln{norm}.{part}.text" for norm in (1, 2) for part in ("shift", "scale", "gate"))
LAST = MODULATION[-1]  # comes after attention; then the block is as good as over


@dataclass(frozen=True)
class Concepts:
    words: tuple[str, ...]
    template: str
    keys: bool
    layers: object
    steps: object
    heads: object
    branch: str
    dtype: str
    chunk: int
    group: str
    relation: str = "concepts"

    def bind(self, layout: Layout, anatomy: Anatomy) -> list:
        return [ConceptRows(self, layout, anatomy)]


def concepts(
    *words: str,
    background: str = "background",
    template: str = "a {}",
    keys: bool = True,
    layers="all",
    steps="all",
    heads="mean",
    branch: str = "cond",
    dtype: str = "float32",
    chunk: int = 64 * MB,
    name: str = "concepts",
) -> Concepts:
    """Record concept rows of `words`, which need not be in the prompt, against each other and a `background`.

    Words share every patch among them: where "blue" is, "star" gets what is left. To find a thing, give its noun alone.
    `template` is the sentence in which T5 reads each word. `keys`: do concepts attend to concepts, or to video alone?
    The rest as in `maps`. Cost: a few tokens more in every block up to the last recorded one, far below a percent at
    real sizes; the text encoder reads each word once a run, which the plan does not count.
    """
    words = tuple(dict.fromkeys((*words, background)))
    if len(words) < 2:
        raise SelectorError(f"concepts {words} have nothing to stand out from; give a word besides the background")
    if template.count("{}") != 1:
        raise SelectorError(f"template={template!r} must have one {{}}, where the word goes")
    check_dtype(dtype)
    heads = heads if isinstance(heads, str | int) else tuple(heads)
    return Concepts(words, template, keys, layers, steps, heads, branch, dtype, chunk, name)


@torch.no_grad()
def embed_concepts(pipe, selector: Concepts, slots: int) -> Float[Tensor, "concept width"]:
    """T5's output for each concept: the mean over its pieces, in its sentence."""
    if pipe.text_encoder is None:
        raise RecordError("concepts are read by the text encoder, and this pipeline has none")
    device, found = pipe._execution_device, []
    for word in selector.words:
        sentence = text_slots(pipe.tokenizer, selector.template.format(word), slots)
        try:
            own = sentence.slots(word)
        except UnknownWord:  # it is in the sentence, so it is the tokenizer that does not know it
            nearest = get_close_matches(word, [piece.strip("▁") for piece in pipe.tokenizer.get_vocab()]) or ["none"]
            raise UnknownWord(f"the tokenizer has no word {word!r}; nearest: {', '.join(nearest)}") from None
        states = pipe.text_encoder(torch.tensor([sentence.ids], device=device))[0]
        found.append(states[0, own].mean(0))
    return torch.stack(found)


class ConceptRows(MapRecorder):
    """`out` is scaled by 1 / sqrt(width), and a head's by the number of heads: their mean is that of heads together."""

    kinds = frozenset({"attn.pattern", *MODULATION})

    def __init__(self, selector: Concepts, layout: Layout, anatomy: Anatomy):
        super().__init__(selector, layout, anatomy)
        count, labels = len(selector.words), {"word": list(selector.words)}
        axes = {"frame": layout.frames, "y": layout.height, "x": layout.width, "word": count}
        self.modulation: dict[str, Tensor] = {}  # of the block that runs
        self.done: int | None = None  # the last block whose attention the concepts went through in this step
        self.slabs = [self.slab("out", axes, labels), self.slab("qk", axes, labels)]
        self.slabs[0].notes["pieces"] = [[1] * count for _ in self.rows]
        self.own = count if selector.keys else 0  # keys that are concepts
        through = len(self.steps) * len(self.rows) * (max(self.layers) + 1)  # blocks that the concepts pass
        block = 24 * anatomy.width**2 + 4 * (layout.video + self.own) * anatomy.width
        self.work = count * (through * block + self.calls * 2 * layout.video * anatomy.width)
        self.answer = 2, len(self.rows), 1 if self.mean else len(self.heads), count, layout.video
        width = layout.video * (3 * count + anatomy.head_width)  # scores, weights, product; one of keys, values, z
        size = max(1, selector.chunk // (4 * width))
        self.blocks = [slice(first, first + size) for first in range(0, anatomy.heads, size)]
        self.scratch = 4 * math.prod(self.answer) + scratch(selector.chunk, width, anatomy.heads)

    def meet(self, pipe) -> None:
        self.transformer = pipe.transformer
        self.states = embed_concepts(pipe, self.selector, self.layout.text)

    def wants(self, kind: str, layer: int | None, step: int) -> bool:
        return kind in self.kinds and step in self.steps and layer <= max(self.layers)

    @torch.no_grad()
    def read(self, kind: str, layer: int | None, value, step: int) -> Iterator:
        block = self.transformer.transformer_blocks[layer]
        if kind != "attn.pattern":
            self.modulation[kind] = value[self.rows][:, None]
            if kind == LAST and self.done == layer:
                self.feed_forward(block)
            return
        if layer == 0:  # not earlier: offloaded weights come with the transformer's forward
            first = self.transformer.patch_embed.text_proj(self.states.to(value.q))
            self.stream, self.done = first.expand(len(self.rows), -1, -1), -1
        if self.done != layer - 1:  # a cache skipped a block: from here on the concepts' states are not known
            return
        self.done = layer
        answers = value.q.new_zeros(self.answer, dtype=torch.float32) if layer in self.layers else None
        self.attend(block, value, answers)
        if answers is not None:
            for slab, answer in zip(self.slabs, answers, strict=True):
                yield slab, answer.mT.reshape(len(self.branches), self.layout.samples, *slab.shape[4:])

    def attend(self, block, pattern: Pattern, answers: Float[Tensor, "2 row kept concept video"] | None) -> None:
        """Moves the concepts one sub-layer on; <output, output> and <query, key> go into `answers`."""
        attn, text = block.attn1, self.layout.text
        normed = self.modulated(block.norm1.norm, 1)
        q, k, v = (
            rearrange(project(normed), "row n (head d) -> row head n d", head=self.anatomy.heads)
            for project in (attn.to_q, attn.to_k, attn.to_v)
        )
        if getattr(attn, "norm_q", None) is not None:
            q, k = attn.norm_q(q), attn.norm_k(k)
        q, k, v = q.float() * pattern.scale, k[..., : self.own, :].float(), v[..., : self.own, :].float()
        states = torch.empty_like(q)
        for number, row in enumerate(self.rows):
            for heads in self.blocks:
                keys, values, z = (part[row, heads, text:] for part in (pattern.k, pattern.v, pattern.z))
                own, queries = (number, heads), q[number, heads]
                scores = torch.cat([queries @ k[own].mT, queries @ keys.float().mT], -1)
                weights = scores.softmax(-1)
                state = weights[..., : self.own] @ v[own] + weights[..., self.own :] @ values.float()
                states[own] = state
                if answers is not None:
                    out = state * (self.anatomy.heads / self.anatomy.width**0.5) @ z.float().mT
                    self.keep(answers[0, number], out, heads.start)
                    self.keep(answers[1, number], scores[..., self.own :], heads.start)
        told = rearrange(states, "row head n d -> row n (head d)").to(normed.dtype)
        for layer in attn.to_out:
            told = layer(told)
        self.stream = self.stream + self.modulation["adaln1.gate.text"] * told

    def keep(self, answer: Float[Tensor, "kept concept video"], some: Float[Tensor, "head concept video"], first: int):
        """Put what some heads, from the `first` on, say to what the others said."""
        if self.mean:
            answer += some.sum(0) / self.anatomy.heads
            return
        for place, head in enumerate(self.heads):
            if first <= head < first + len(some):
                answer[place] = some[head - first]

    def feed_forward(self, block) -> None:
        told = self.modulated(block.norm2.norm, 2)
        for layer in block.ff.net:  # not block.ff itself, on which hooks wait for the real tokens
            told = layer(told)
        self.stream = self.stream + self.modulation["adaln2.gate.text"] * told

    def modulated(self, norm, number: int) -> Tensor:
        shift, scale = (self.modulation[f"adaln{number}.{part}.text"] for part in ("shift", "scale"))
        return norm(self.stream) * (1 + scale) + shift
