"""A lesson for the text encoder: words know which thing they speak of.

"A red star moving left and a blue circle growing": which of the two is red, and which one grows? The T5 of the released
models learnt from much text which words belong together. A small one that learns through pixels alone keeps every word
for itself, and then no transformer can tell whose the colour is. So a linear head reads the vector of every word and
says whether it speaks of the thing that is named first, of the second, or of neither.

A mark of the thing, and not what else is said of it: were "red" to know that it is a star, a pair of colour and shape
that was never trained would be a vector that was never seen. Language models bind attributes in this way too (Feng and
Steinhardt, 2023, arXiv 2310.17191). Sentences cost nothing: they are new in every step.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from cogkit.training.text import token_ids
from cogkit.world.captions import caption
from cogkit.world.scene import Pairs, Scene, throw_thing
from cogkit.world.vocabulary import BACKGROUNDS, SHAPES

NEITHER, PADDING = 0, -100  # beside 1 and 2; cross-entropy leaves the padding out
TWO = 0.8  # share of sentences of two things
BACKDROP = ("on", "over", "against", "in", ",")  # a thing's words end here


class Sentences(NamedTuple):
    prompts: list[str]
    whose: Int[Tensor, "b slots"]  # of every word 1 or 2, in the order in which the sentence names things, or NEITHER


def sentences(dice: np.random.Generator, count: int, slots: int, pairs: Pairs = "training") -> Sentences:
    """Of one thing or two, from `pairs`, half of their colours beyond the palette, padded or cut to `slots`."""
    prompts, whose = [], torch.full((count, slots), PADDING)
    for row in range(count):
        things = tuple(throw_thing(dice, pairs, 0.5) for _ in range(1 + (dice.random() < TWO)))
        prompts.append(caption(Scene(things, str(dice.choice(BACKGROUNDS))), int(dice.integers(2**31))))
        told = whose_words(prompts[-1])[: slots - 1]  # the last one is the mark of the end
        whose[row, : len(told)] = torch.tensor(told)
    return Sentences(prompts, whose)


def whose_words(sentence: str) -> list[int]:
    """For every word (a comma is one, as for the tokenizer) which thing it speaks of, counted as they are named."""
    words = sentence.replace(",", " ,").split()
    whose, things, now = [], 0, NEITHER
    for k, word in enumerate(words):
        if word in ("a", "an") and set(words[k + 1 : k + 4]) & set(SHAPES):  # with a size and a colour, or without
            things, now = things + 1, things + 1
        elif word in BACKDROP or (word == "and" and words[k + 1] in ("a", "an")):
            now = NEITHER
        whose.append(now)
    return whose


def word_loss(head: nn.Linear, vectors: Float[Tensor, "b slots d"], asked: Sentences) -> Float[Tensor, ""]:
    return F.cross_entropy(head(vectors).flatten(0, 1), asked.whose.flatten(), ignore_index=PADDING)


@torch.no_grad()
def word_score(model: nn.ModuleDict, tokenizer, asked: Sentences) -> float:
    """The share of right answers. `model` has a "text_encoder" and the head as "whose"."""
    vectors = model["text_encoder"](token_ids(tokenizer, asked.prompts, asked.whose.shape[1]))[0]
    right = model["whose"](vectors).argmax(-1) == asked.whose
    return float(right[asked.whose != PADDING].float().mean())
