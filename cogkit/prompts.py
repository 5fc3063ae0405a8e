"""A look at the prompt before it costs anything: refuse what cannot work, name the words that are unknown."""

import warnings

from diffusers import CogVideoXPipeline


class PromptError(ValueError):
    """A prompt that the text encoder cannot take."""


class UnknownWords(UserWarning):
    """The prompt has words that the tokenizer has never seen."""


def check_prompt(pipe: CogVideoXPipeline, prompt: str | None) -> list[str]:
    """Refuse an empty prompt and one longer than the text slots; warn of unknown words, and return them."""
    if not isinstance(prompt, str) or not prompt.strip():
        raise PromptError(f"prompt={prompt!r} is empty; say what to show, for example 'a red circle moving right'")
    slots = pipe.transformer.config.max_text_seq_length
    length = len(pipe.tokenizer(prompt, truncation=False).input_ids)
    if length > slots:
        raise PromptError(
            f"the prompt has {length} tokens, but the model has {slots} text slots; shorten it by {length - slots}"
        )
    unknown = unknown_words(pipe.tokenizer, prompt)
    if unknown:
        warnings.warn(
            f"the text encoder has never seen {', '.join(map(repr, unknown))}: it cannot draw them",
            UnknownWords,
            stacklevel=2,
        )
    return unknown


def unknown_words(tokenizer, prompt: str) -> list[str]:
    """The words, in order, of which some piece is unknown."""
    words = dict.fromkeys(word.strip(",.!?;:\"'()") for word in prompt.split())
    return [word for word in words if word and tokenizer.unk_token_id in tokenizer(word).input_ids]
