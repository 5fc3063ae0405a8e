"""Concept rows: words that read the video along with the prompt, layer by layer, while the video never sees them.

A concept starts as its T5 embedding in a short sentence and goes through every block in the role of text: the text's
AdaLN, q, k, v without RoPE, attention to [concepts; video], the text's gates, the feed-forward. Its map is the dot
product of its attention output with that of every video token, both before `to_out`, set against the other concepts.
After ConceptAttention (Helbling et al., 2025), which attends with the whole sequence a second time; here only the rows
of the concepts are computed, on the keys and values that the block has made anyway.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from cogkit.recording.layout import Anatomy, Layout
from cogkit.recording.map_recorder import MapRecorder
from cogkit.recording.pattern import Pattern
from cogkit.recording.selectors import MB, SelectorError
from cogkit.recording.tokens import text_slots
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
    name: str = "concepts",
) -> Concepts:
    """Record concept rows of `words`, which need not be in the prompt, against each other and a `background`.

    Words share every patch among them: where "blue" is, "star" gets what is left. To find a thing, give its noun alone.
    `template` is the sentence in which T5 reads each word. `keys`: do concepts attend to concepts, or to video alone?
    The rest as in `maps`. Cost: a few tokens more in every block, far below a percent at real sizes.
    """
    words = tuple(dict.fromkeys((*words, background)))
    if len(words) < 2:
        raise SelectorError(f"concepts {words} have nothing to stand out from; give a word besides the background")
    if template.count("{}") != 1:
        raise SelectorError(f"template={template!r} must have one {{}}, where the word goes")
    heads = heads if isinstance(heads, str | int) else tuple(heads)
    return Concepts(words, template, keys, layers, steps, heads, branch, dtype, 64 * MB, name)


@torch.no_grad()
def embed_concepts(pipe, selector: Concepts, slots: int) -> Float[Tensor, "concept width"]:
    """The text stream's first state of each concept: the mean over its pieces in T5's output, through `text_proj`."""
    if pipe.text_encoder is None:
        raise RecordError("concepts are read by the text encoder, and this pipeline has none")
    device, found = pipe._execution_device, []
    for word in selector.words:
        sentence = text_slots(pipe.tokenizer, selector.template.format(word), slots)
        states = pipe.text_encoder(torch.tensor([sentence.ids], device=device))[0]
        found.append(states[0, sentence.slots(word)].mean(0))
    return pipe.transformer.patch_embed.text_proj(torch.stack(found).to(pipe.transformer.dtype))


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
        through = len(self.steps) * len(self.rows) * (max(self.layers) + 1)  # blocks that the concepts pass
        rows = count * (24 * anatomy.width**2 + 4 * (layout.video + count) * anatomy.width)
        self.work = through * rows + self.calls * 4 * count * layout.video * anatomy.width
        self.scratch = 4 * anatomy.heads * layout.video * (3 * count + 3 * anatomy.head_width)

    def meet(self, pipe) -> None:
        self.transformer = pipe.transformer
        self.first = embed_concepts(pipe, self.selector, self.layout.text)

    def wants(self, kind: str, layer: int | None, step: int) -> bool:
        return kind in self.kinds and step in self.steps and layer <= max(self.layers)

    @torch.no_grad()
    def read(self, kind: str, layer: int | None, value, step: int) -> Iterator:
        if kind != "attn.pattern":
            self.modulation[kind] = value[self.rows][:, None]
            if kind == LAST and self.done == layer:
                self.feed_forward(self.transformer.transformer_blocks[layer])
            return
        if layer == 0:
            self.stream, self.done = self.first.to(value.q.device).expand(len(self.rows), -1, -1), -1
        if self.done != layer - 1:  # a cache skipped a block: from here on the concepts' states are not known
            return
        self.done = layer
        out, qk = self.attend(self.transformer.transformer_blocks[layer], value)
        if layer in self.layers:
            for slab, found in zip(self.slabs, (out, qk), strict=True):
                found = torch.stack([each.mean(0) if self.mean else each[self.heads] for each in found])
                found = found.mT.unflatten(0, (len(self.branches), self.layout.samples))
                yield slab, found.reshape(*found.shape[:-2], *slab.shape[-4:])

    def attend(self, block, pattern: Pattern) -> tuple[list[Tensor], list[Tensor]]:
        """Each row's <output, output> and <query, key>, (head, concept, video); moves the concepts one sub-layer on."""
        attn, text = block.attn1, self.layout.text
        normed = self.modulated(block.norm1.norm, 1)
        q, k, v = (
            rearrange(project(normed), "row n (head d) -> row head n d", head=self.anatomy.heads)
            for project in (attn.to_q, attn.to_k, attn.to_v)
        )
        if getattr(attn, "norm_q", None) is not None:
            q, k = attn.norm_q(q), attn.norm_k(k)
        outs, products, states = [], [], []
        for row, queries, own_keys, own_values in zip(self.rows, q.float(), k.float(), v.float(), strict=True):
            keys, values, z = (part[row, :, text:].float() for part in (pattern.k, pattern.v, pattern.z))
            to_video, to_own = queries @ keys.mT * pattern.scale, queries @ own_keys.mT * pattern.scale
            scores = torch.cat([to_own, to_video], -1) if self.selector.keys else to_video
            attended = torch.cat([own_values, values], 1) if self.selector.keys else values
            state = scores.softmax(-1) @ attended
            outs.append(state @ z.mT * (self.anatomy.heads / self.anatomy.width**0.5))
            products.append(to_video)
            states.append(rearrange(state, "head n d -> n (head d)"))
        told = torch.stack(states).to(normed.dtype)
        for layer in attn.to_out:
            told = layer(told)
        self.stream = self.stream + self.modulation["adaln1.gate.text"] * told
        return outs, products

    def feed_forward(self, block) -> None:
        told = self.modulated(block.norm2.norm, 2)
        for layer in block.ff.net:  # not block.ff itself, on which hooks wait for the real tokens
            told = layer(told)
        self.stream = self.stream + self.modulation["adaln2.gate.text"] * told

    def modulated(self, norm, number: int) -> Tensor:
        shift, scale = (self.modulation[f"adaln{number}.{part}.text"] for part in ("shift", "scale"))
        return norm(self.stream) * (1 + scale) + shift
