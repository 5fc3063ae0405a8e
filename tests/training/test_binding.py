import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from cogkit.training.binding import NEITHER, PADDING, sentences, whose_words, word_loss
from cogkit.training.config import Config, Stage
from cogkit.training.text import new_tokenizer, token_ids
from cogkit.training.text_task import TextTask
from cogkit.world.captions import phrased, said_of
from cogkit.world.scene import sample_scene
from cogkit.world.vocabulary import COLOURS, HELD_OUT_PAIRS, SHAPES

SLOTS = 40


def asked(count=200, slots=SLOTS):
    return sentences(np.random.default_rng(3), count, slots)


def test_words_are_counted_to_the_things_as_they_are_named():
    told = "on a gray background, a big red star moving up and to the left and an orange circle that does not move"
    assert whose_words(told) == [0, 0, 0, 0, 0] + [1] * 10 + [0] + [2] * 7
    assert whose_words("a video of a star in front of a striped background") == [0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0]


def test_what_is_said_of_a_thing_is_counted_to_it():
    for seed in range(300):
        scene = sample_scene(seed, things=2)
        prompt, named = phrased(scene, seed)
        words, whose = prompt.replace(",", " ,").split(), whose_words(prompt)
        for k, thing in enumerate(named, start=1):
            own = " ".join(word for word, of in zip(words, whose, strict=True) if of == k)
            assert said_of(thing, own) == said_of(thing, prompt) and thing.shape in own
        rest = [word for word, of in zip(words, whose, strict=True) if of == NEITHER]
        assert not {*COLOURS, *SHAPES} & {*rest} - {scene.background}


def test_every_piece_of_the_tokenizer_has_its_answer():
    """A word is a piece; the mark of the end and the padding are not asked."""
    tokenizer, some = new_tokenizer(), asked()
    lengths = [len(tokenizer(prompt).input_ids) - 1 for prompt in some.prompts]
    assert lengths == (some.whose != PADDING).sum(1).tolist()
    assert tokenizer.unk_token_id not in token_ids(tokenizer, some.prompts, SLOTS)


def test_sentences_of_training_have_no_held_out_pair():
    for prompt in asked(300).prompts:
        words = prompt.replace(",", " ,").split()
        assert not set(zip(words, words[1:], strict=False)) & HELD_OUT_PAIRS


def test_a_sentence_that_is_too_long_is_cut_as_the_tokenizer_cuts_it():
    tokenizer, cut, whole = new_tokenizer(), asked(slots=9), asked()
    assert torch.equal(cut.whose[:, :8], whole.whose[:, :8]) and (cut.whose[:, 8] == PADDING).all()
    last = token_ids(tokenizer, cut.prompts, 9)[:, 8]
    assert (last == tokenizer.eos_token_id).any() and not (last > tokenizer.unk_token_id).any()


def test_only_words_count():
    some = asked(20)
    head, vectors = torch.nn.Linear(8, 3), torch.randn(20, SLOTS, 8)
    words = some.whose != PADDING
    torch.testing.assert_close(
        word_loss(head, vectors, some), cross_entropy(head(vectors[words]), some.whose[words]), rtol=0, atol=1e-6
    )


def test_a_fresh_encoder_does_not_know_it():
    task = TextTask(Config(part="text", stages=(Stage(steps=1, groups=(), text_slots=(40,)),)))
    assert all(score <= 0.6 for score in task.validate(task.model).values())


@pytest.mark.parametrize("slots", [SLOTS, 226])
def test_in_the_shipped_encoder_a_linear_head_reads_which_of_two_things_a_word_speaks_of(nano, slots):
    """A guess is half. Held-out pairs are no harder: the mark says which thing it is, not what it looks like."""

    def words_of_two(seed, count, pairs="training"):
        some = sentences(np.random.default_rng(seed), count, slots, pairs)
        with torch.no_grad():
            vectors = nano.text_encoder(token_ids(nano.tokenizer, some.prompts, slots))[0]
        asked = (some.whose > NEITHER) & (some.whose.amax(1, keepdim=True) == 2)
        return torch.nn.functional.pad(vectors[asked], (0, 1), value=1.0), 2.0 * some.whose[asked] - 3

    vectors, which = words_of_two(4, 1000)
    head = torch.linalg.lstsq(vectors, which[:, None]).solution
    for pairs in ("training", "held out"):
        vectors, which = words_of_two(5, 200, pairs)
        assert (((vectors @ head)[:, 0] > 0) == (which > 0)).float().mean() > 0.95
