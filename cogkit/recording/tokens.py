"""Which text slot is which: words and their token pieces, the end mark, and the padding behind it.

CogVideoX feeds every T5 slot to the transformer, unmasked; padding takes attention like any word. Here it has a name.
"""

from dataclasses import dataclass, field
from difflib import get_close_matches

START = "▁"  # SentencePiece marks the first piece of a word with it
GROUPS = ("prompt", "eos", "pad")


class UnknownWord(LookupError):
    """A word that the prompt does not have."""


@dataclass(frozen=True)
class TextSlots:
    """One prompt as the transformer sees it: slot k holds pieces[k]."""

    pieces: tuple[str, ...]
    ids: tuple[int, ...]
    groups: dict[str, list[int]]  # "prompt", "eos", "pad": slots
    encode: object = field(default=None, repr=False, compare=False)  # word -> ids, without the end mark

    def spans(self) -> list[list[int]]:
        """The slots of every word, in order; punctuation belongs to no word."""
        found: list[list[int]] = []
        for slot in self.groups["prompt"]:
            piece = self.pieces[slot]
            if piece.startswith(START) or not found:
                found.append([])
            if any(letter.isalnum() for letter in piece) or piece.startswith("<"):
                found[-1].append(slot)
        return [span for span in found if span]

    def words(self) -> list[str]:
        """The distinct words of the prompt, as the tokenizer wrote them."""
        return list(dict.fromkeys(self._text(span) for span in self.spans()))

    def slots(self, word: str) -> list[int]:
        """The slots of `word`: of each time that it occurs, of one time as in "red#2", or of a phrase ("red circle").

        Raises UnknownWord with the nearest words of the prompt.
        """
        name, _, which = word.partition("#")
        wanted = tuple(self.encode(name)) if self.encode else ()
        spans, hits = self.spans(), []
        for first in range(len(spans)):
            for last in range(first, len(spans)):
                span = [slot for part in spans[first : last + 1] for slot in part]
                if tuple(self.ids[s] for s in span) == wanted or self._text(span) == name:
                    hits.append(span)
        if which and (not which.isdigit() or not 1 <= int(which) <= len(hits)):
            raise UnknownWord(f"{word!r}: {name!r} occurs {len(hits)} times in the prompt; count from #1")
        if not hits:
            words = self.words()
            near = get_close_matches(name, words, n=3, cutoff=0.5) or words
            raise UnknownWord(f"the prompt has no word {name!r}; nearest: {', '.join(near) or 'none, it is empty'}")
        return hits[int(which) - 1] if which else sorted({slot for span in hits for slot in span})

    def _text(self, span: list[int]) -> str:
        return "".join(self.pieces[s] for s in span).replace(START, " ").strip()


def text_slots(tokenizer, prompt: str, length: int) -> TextSlots:
    """Lay `prompt` out over `length` slots exactly as the pipeline does."""
    ids = tokenizer(prompt, padding="max_length", max_length=length, truncation=True, add_special_tokens=True).input_ids
    groups: dict[str, list[int]] = {name: [] for name in GROUPS}
    for slot, token in enumerate(ids):
        special = {tokenizer.eos_token_id: "eos", tokenizer.pad_token_id: "pad"}
        groups[special.get(token, "prompt")].append(slot)

    def encode(word: str) -> list[int]:
        found = tokenizer(word).input_ids
        return found[:-1] if found and found[-1] == tokenizer.eos_token_id else found

    return TextSlots(tuple(tokenizer.convert_ids_to_tokens(ids)), tuple(ids), groups, encode)
