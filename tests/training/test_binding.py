import numpy as np
import torch
from torch.nn.functional import cross_entropy, one_hot

from cogkit.training.binding import ASKED, SLOTS, TRAITS, UNSAID, sentences, word_heads, word_loss
from cogkit.training.config import Config, Stage
from cogkit.training.text import new_tokenizer, token_ids
from cogkit.training.text_task import TextTask
from cogkit.world.captions import SPELLINGS
from cogkit.world.vocabulary import HELD_OUT_PAIRS, SHAPES


def asked(count=200, **how):
    return sentences(np.random.default_rng(3), count, **how)


def named(some, word, trait):
    """What the word of every thing should answer, or None: sentence by sentence, as the things are named."""
    answers = some.truth[word, trait].flatten().tolist()
    return [None if answer == UNSAID else TRAITS[trait][answer] for answer in answers]


def spellings(name):
    return SPELLINGS.get(name, (name,))


def words_at(some, word):
    tokenizer = new_tokenizer()
    ids = token_ids(tokenizer, some.prompts, SLOTS).gather(1, some.slots[word])
    return [token.removeprefix("▁") for row in ids.tolist() for token in tokenizer.convert_ids_to_tokens(row)]


def test_a_noun_is_a_shape_and_the_colour_stands_before_it_or_was_not_said():
    some = asked()
    assert set(words_at(some, "noun")) == set(SHAPES)
    said = [k > 0 for k in some.slots["colour"].flatten().tolist()]
    for yes, name, word in zip(said, named(some, "noun", "colour"), words_at(some, "colour"), strict=True):
        assert (name is not None) == yes
        assert not yes or word in spellings(name)


def test_a_colour_is_asked_for_the_noun_that_follows_it():
    some = asked()
    for shape, noun, slot in zip(
        named(some, "colour", "shape"), words_at(some, "noun"), some.slots["colour"].flatten().tolist(), strict=True
    ):
        assert shape == (noun if slot else None)


def test_both_words_of_a_thing_are_asked_for_the_same_movement():
    some = asked()
    for of_noun, of_colour in zip(named(some, "noun", "motion"), named(some, "colour", "motion"), strict=True):
        assert of_colour in (of_noun, None)


def test_sentences_of_training_have_no_held_out_pair_not_even_with_the_shapes_exchanged():
    some = asked(300, painted=0.0)
    colours = named(some, "noun", "colour")
    for k, prompt in enumerate(some.prompts):
        shapes = [word for word in prompt.replace(",", " ").split() if word in SHAPES]
        assert not {(name, shape) for name in colours[2 * k : 2 * k + 2] for shape in shapes} & HELD_OUT_PAIRS


def test_only_what_was_said_counts():
    some = asked(20)
    unsaid = {key: torch.full((20, 2), UNSAID) for key in some.truth}
    for word, traits in ASKED.items():
        for trait in traits:
            unsaid[word, trait][3, 0] = 1
    heads, vectors = word_heads(8), torch.randn(20, SLOTS, 8)
    expected = sum(
        cross_entropy(heads[word][trait](vectors[3, some.slots[word][3, 0]]), torch.tensor(1))
        for word, trait in some.truth
    )
    torch.testing.assert_close(word_loss(heads, vectors, some._replace(truth=unsaid)), expected)


def test_a_fresh_encoder_guesses():
    task = TextTask(Config(part="text", stages=(Stage(steps=1, groups=()),)))
    assert all(score <= 0.45 for score in task.validate(task.model).values())


def test_from_the_shipped_encoder_no_linear_head_reads_whose_the_colour_is(nano):
    """A known failure of the card: a guess between the two colours of the sentence would be right in half."""

    def of_nouns(some):
        with torch.no_grad():
            vectors = nano.text_encoder(token_ids(nano.tokenizer, some.prompts, SLOTS))[0]
        return vectors.gather(1, some.slots["noun"][..., None].expand(-1, -1, 128)).flatten(0, 1)

    fit = asked(1000, painted=0.0)
    truth = one_hot(fit.truth["noun", "colour"].flatten(), len(TRAITS["colour"])).float()
    head = torch.linalg.lstsq(of_nouns(fit), truth).solution
    for pairs in ("training", "held out"):
        new = sentences(np.random.default_rng(4), 200, pairs, 0.0)
        right = (of_nouns(new) @ head).argmax(-1) == new.truth["noun", "colour"].flatten()
        assert right.float().mean() < 0.5
