import warnings

import pytest

from cogkit.prompts import PromptError, UnknownWords, check_prompt, unknown_words


def test_a_plain_prompt_passes_without_a_word(nano):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check_prompt(nano, "A red circle, moving to the right, on a gray background.") == []


@pytest.mark.parametrize("prompt", ["", "   ", None])
def test_an_empty_prompt_is_refused(nano, prompt):
    with pytest.raises(PromptError, match="is empty; say what to show"):
        check_prompt(nano, prompt)


def test_a_prompt_that_is_too_long_is_refused_with_the_excess(nano):
    with pytest.raises(PromptError, match="301 tokens, but the model has 226 text slots; shorten it by 75"):
        check_prompt(nano, "red " * 300)


def test_unknown_words_are_named_in_a_warning(nano):
    with pytest.warns(UnknownWords, match="never seen 'helicopter', 'banana'"):
        check_prompt(nano, "a red helicopter moving right on a banana")


def test_each_unknown_word_is_named_once(nano):
    assert unknown_words(nano.tokenizer, "zebra, red zebra!") == ["zebra"]
