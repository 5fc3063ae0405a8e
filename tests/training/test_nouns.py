import numpy as np
import torch
from torch.nn.functional import cross_entropy

from cogkit.training.config import Config, Stage
from cogkit.training.nouns import SLOTS, TRAITS, UNSAID, noun_head, noun_loss, sentences
from cogkit.training.text import new_tokenizer, token_ids
from cogkit.training.text_task import TextTask
from cogkit.world.captions import SPELLINGS
from cogkit.world.vocabulary import HELD_OUT_PAIRS, SHAPES


def asked(count=200, **how):
    return sentences(np.random.default_rng(3), count, **how)


def spellings(name):
    return SPELLINGS.get(name, (name,))


def test_every_noun_is_the_token_of_a_shape_word():
    tokenizer, some = new_tokenizer(), asked(50)
    ids = token_ids(tokenizer, some.prompts, SLOTS).gather(1, some.nouns)
    words = [tokenizer.convert_ids_to_tokens(row) for row in ids.tolist()]
    assert all(word.removeprefix("▁") in SHAPES for row in words for word in row)


def test_a_noun_has_the_colour_that_stands_right_before_it_or_none_was_said():
    some = asked()
    for prompt, nouns, colours in zip(some.prompts, some.nouns.tolist(), some.truth["colour"].tolist(), strict=True):
        words = prompt.replace(",", " ,").split()
        for noun, colour in zip(nouns, colours, strict=True):
            before = words[noun - 1]
            if colour == UNSAID:
                assert not any(before in spellings(name) for name in TRAITS["colour"])
            else:
                assert before in spellings(TRAITS["colour"][colour])


def test_sentences_of_training_have_no_held_out_pair_not_even_with_the_shapes_exchanged():
    some = asked(300, painted=0.0)
    for prompt, colours in zip(some.prompts, some.truth["colour"].tolist(), strict=True):
        shapes = [word for word in prompt.replace(",", " ").split() if word in SHAPES]
        names = [TRAITS["colour"][k] for k in colours if k != UNSAID]
        assert not {(name, shape) for name in names for shape in shapes} & HELD_OUT_PAIRS


def test_only_what_was_said_counts():
    some = asked(20)
    unsaid = {trait: torch.full((20, 2), UNSAID) for trait in TRAITS}
    unsaid["colour"][0, 0], unsaid["motion"][7, 1] = 1, 2
    head, vectors = noun_head(8), torch.randn(20, SLOTS, 8)
    first, second = vectors[0, some.nouns[0, 0]], vectors[7, some.nouns[7, 1]]
    expected = cross_entropy(head["colour"](first), torch.tensor(1)) + cross_entropy(
        head["motion"](second), torch.tensor(2)
    )
    torch.testing.assert_close(noun_loss(head, vectors, some._replace(truth=unsaid)), expected)


def test_a_fresh_encoder_guesses():
    task = TextTask(Config(part="text", stages=(Stage(steps=1, groups=()),)))
    assert all(score <= 0.4 for score in task.validate(task.model).values())
