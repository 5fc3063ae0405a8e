"""A lesson for the text encoder: words know which thing they speak of.

"A red star moving left and a blue circle growing": which of the two is red, and which one grows? The T5 of the released
models learnt from much text which words belong together. A small one that learns through pixels alone keeps every word
for itself, and then no transformer can tell whose the colour is. So linear heads read the vectors of each thing's noun
and of its colour, and name what else is said of it. Sentences cost nothing: they are new in every step, and always of
two things, since of one there is nothing to mix up.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from cogkit.training.text import token_ids
from cogkit.world.captions import SPELLINGS, caption, said_of
from cogkit.world.paint import spoken
from cogkit.world.scene import Pairs, Scene, Thing, exchangeable, throw_thing
from cogkit.world.vocabulary import BACKGROUNDS, COLOURS, IN_BETWEEN, MOTIONS, SHAPES

TRAITS = {"colour": (*COLOURS, *IN_BETWEEN), "shape": SHAPES, "motion": tuple(MOTIONS)}
ASKED = {"noun": ("colour", "motion"), "colour": ("shape", "motion")}  # which word is asked what
UNSAID = -100  # what cross-entropy leaves out
PAINTED = 0.5
SLOTS = 40  # enough for the longest sentence


class Sentences(NamedTuple):
    """Of two things each, in the order in which the sentence names them."""

    prompts: list[str]
    slots: dict[str, Int[Tensor, "b 2"]]  # of each word in ASKED; 0 if it is not there
    truth: dict[tuple[str, str], Int[Tensor, "b 2"]]  # by word and trait its place in TRAITS, or UNSAID


def word_heads(width: int) -> nn.ModuleDict:
    """By word and trait, as in ASKED."""
    of = {word: {trait: nn.Linear(width, len(TRAITS[trait])) for trait in traits} for word, traits in ASKED.items()}
    return nn.ModuleDict({word: nn.ModuleDict(heads) for word, heads in of.items()})


def sentences(dice: np.random.Generator, count: int, pairs: Pairs = "training", painted: float = PAINTED) -> Sentences:
    """Of two things that differ in colour and in shape, from `pairs`; of training only such as may have each other's
    shape, or knowing which pairs there are would do instead of reading."""
    prompts, slots = [], {word: [] for word in ASKED}
    truth = {(word, trait): [] for word, traits in ASKED.items() for trait in traits}
    while len(prompts) < count:
        things = tuple(throw_thing(dice, pairs, painted) for _ in range(2))
        if not _worth_asking(things, pairs):
            continue
        prompt = caption(Scene(things, str(dice.choice(BACKGROUNDS))), int(dice.integers(2**31)))
        words = prompt.replace(",", " ,").split()  # the tokenizer's pieces
        named = sorted(things, key=lambda thing: words.index(thing.shape))
        prompts.append(prompt)
        where = {"noun": [words.index(thing.shape) for thing in named]}
        where["colour"] = [_before(words, noun, thing) for noun, thing in zip(where["noun"], named, strict=True)]
        for word, traits in ASKED.items():
            slots[word].append(where[word])
            for trait in traits:
                truth[word, trait].append(
                    [_place(t, trait, prompt) if k else UNSAID for t, k in zip(named, where[word], strict=True)]
                )
    return Sentences(prompts, *({key: torch.tensor(each) for key, each in of.items()} for of in (slots, truth)))


def word_loss(heads: nn.ModuleDict, vectors: Float[Tensor, "b slots d"], asked: Sentences) -> Float[Tensor, ""]:
    """Cross-entropy, summed over what is asked of the words."""
    answers = _answers(heads, vectors, asked)
    return sum(F.cross_entropy(answers[key].flatten(0, 1), truth.flatten()) for key, truth in asked.truth.items())


@torch.no_grad()
def word_scores(model: nn.ModuleDict, tokenizer, asked: Sentences) -> dict[str, float]:
    """The share of right answers, by word and trait. `model` has a "text_encoder" and the heads as "words"."""
    vectors = model["text_encoder"](token_ids(tokenizer, asked.prompts, SLOTS))[0]
    right = {key: a.argmax(-1) == asked.truth[key] for key, a in _answers(model["words"], vectors, asked).items()}
    return {" ".join(key): float(each[asked.truth[key] != UNSAID].float().mean()) for key, each in right.items()}


def _answers(heads: nn.ModuleDict, vectors: Tensor, asked: Sentences) -> dict[tuple[str, str], Tensor]:
    width = vectors.shape[-1]
    of = {word: vectors.gather(1, slots[..., None].expand(-1, -1, width)) for word, slots in asked.slots.items()}
    return {(word, trait): heads[word][trait](of[word]) for word, trait in asked.truth}


def _worth_asking(things: tuple[Thing, Thing], pairs: Pairs) -> bool:
    a, b = things
    differ = a.shape != b.shape and spoken(a.colour) != spoken(b.colour)
    return differ and (pairs != "training" or exchangeable(things))


def _before(words: list[str], noun: int, thing: Thing) -> int:
    """The slot of its colour, which stands before the noun; 0 if nothing was said of it."""
    name = spoken(thing.colour)
    return noun - 1 if words[noun - 1] in SPELLINGS.get(name, (name,)) else 0


def _place(thing: Thing, trait: str, prompt: str) -> int:
    value = spoken(thing.colour) if trait == "colour" else getattr(thing, trait)
    return TRAITS[trait].index(value) if trait in said_of(thing, prompt) else UNSAID
