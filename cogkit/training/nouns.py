"""A lesson for the text encoder: a noun knows its thing.

"A red star moving left and a blue circle growing": which of the two is red, and which one grows? The T5 of the released
models learnt from much text which words belong together. A small one that learns through pixels alone keeps every word
for itself, and then no transformer can tell whose the colour is. So a linear head reads the vector of each shape word
and names the colour and the movement of that thing. Sentences cost nothing: they are new in every step, and always of
two things, since of one there is nothing to mix up.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from cogkit.training.text import token_ids
from cogkit.world.captions import caption, said_of
from cogkit.world.paint import spoken
from cogkit.world.scene import Pairs, Scene, Thing, exchangeable, throw_thing
from cogkit.world.vocabulary import BACKGROUNDS, COLOURS, IN_BETWEEN, MOTIONS, SHAPES

TRAITS = {"colour": (*COLOURS, *IN_BETWEEN), "motion": tuple(MOTIONS)}
UNSAID = -100  # what cross-entropy leaves out
PAINTED = 0.5
SLOTS = 40  # enough for the longest sentence


class Sentences(NamedTuple):
    """Of two things each, in the order in which the sentence names them."""

    prompts: list[str]
    nouns: Int[Tensor, "b 2"]  # the slot of each shape word
    truth: dict[str, Int[Tensor, "b 2"]]  # per trait its place in TRAITS, or UNSAID


def noun_head(width: int) -> nn.ModuleDict:
    return nn.ModuleDict({trait: nn.Linear(width, len(values)) for trait, values in TRAITS.items()})


def sentences(
    dice: np.random.Generator, count: int, pairs: Pairs = "training", painted: float = PAINTED
) -> Sentences:
    """Of two things that differ in colour and in shape; of `pairs`, and of training only such as stay allowed when their
    shapes are exchanged, or knowing which pairs there are would do instead of reading."""
    prompts, nouns, truth = [], [], {trait: [] for trait in TRAITS}
    while len(prompts) < count:
        things = tuple(throw_thing(dice, pairs, painted) for _ in range(2))
        if not _worth_asking(things, pairs):
            continue
        prompt = caption(Scene(things, str(dice.choice(BACKGROUNDS))), int(dice.integers(2**31)))
        words = prompt.replace(",", " ,").split()  # the tokenizer's pieces
        named = sorted(things, key=lambda thing: words.index(thing.shape))
        prompts.append(prompt)
        nouns.append([words.index(thing.shape) for thing in named])
        for trait, values in TRAITS.items():
            meant = [spoken(thing.colour) if trait == "colour" else thing.motion for thing in named]
            said = [trait in said_of(thing, prompt) for thing in named]
            truth[trait].append([values.index(v) if yes else UNSAID for v, yes in zip(meant, said, strict=True)])
    return Sentences(prompts, torch.tensor(nouns), {trait: torch.tensor(each) for trait, each in truth.items()})


def _worth_asking(things: tuple[Thing, Thing], pairs: Pairs) -> bool:
    a, b = things
    differ = a.shape != b.shape and spoken(a.colour) != spoken(b.colour)
    return differ and (pairs != "training" or exchangeable(things))


def noun_loss(head: nn.ModuleDict, vectors: Float[Tensor, "b slots d"], asked: Sentences) -> Float[Tensor, ""]:
    """Cross-entropy of the traits, summed over traits."""
    of_nouns = _pick(vectors, asked.nouns)
    return sum(F.cross_entropy(head[trait](of_nouns).flatten(0, 1), asked.truth[trait].flatten()) for trait in TRAITS)


@torch.no_grad()
def noun_scores(model: nn.ModuleDict, tokenizer, asked: Sentences) -> dict[str, float]:
    """The share of nouns whose colour, or movement, was said and is named rightly. `model`: "text_encoder", "nouns"."""
    of_nouns = _pick(model["text_encoder"](token_ids(tokenizer, asked.prompts, SLOTS))[0], asked.nouns)
    right = {trait: model["nouns"][trait](of_nouns).argmax(-1) == asked.truth[trait] for trait in TRAITS}
    return {trait: float(each[asked.truth[trait] != UNSAID].float().mean()) for trait, each in right.items()}


def _pick(vectors: Float[Tensor, "b slots d"], nouns: Int[Tensor, "b 2"]) -> Float[Tensor, "b 2 d"]:
    return vectors.gather(1, nouns[..., None].expand(-1, -1, vectors.shape[-1]))
