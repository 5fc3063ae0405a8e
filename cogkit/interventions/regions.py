"""A region: which tokens of the joint sequence, by their place in the video or by their word."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha1

import numpy as np

from cogkit.recording.layout import Layout
from cogkit.recording.points import choose
from cogkit.recording.tokens import GROUPS, TextSlots, UnknownWord


class RegionError(ValueError):
    """A region that chooses no tokens, or does not fit the token grid."""


@dataclass(frozen=True, eq=False)  # slices in it cannot be hashed, the region can
class Region:
    """`grid`: choices of frames, y, x; `mask`: bytes and shape of a boolean grid; with both, where both are."""

    grid: tuple[object, object, object] | None
    mask: tuple[bytes, tuple[int, ...]] | None
    words: tuple[str, ...]

    def __str__(self) -> str:
        parts = [f"{axis}={choice}" for axis, choice in zip(("frames", "y", "x"), self.grid or (), strict=False)]
        if self.mask:
            parts.append(f"mask={sha1(self.mask[0]).hexdigest()[:8]}")
        return f"region({', '.join(parts + [f'words={list(self.words)}'] * bool(self.words))})"

    def video(self, layout: Layout) -> np.ndarray:
        """(frames, height, width): which patches. Raises UnknownPoint or RegionError when it does not fit the grid."""
        sizes = layout.frames, layout.height, layout.width
        inside = np.zeros(sizes, bool)
        if self.grid is None and self.mask is None:
            return inside
        axes = zip(("frames", "y", "x"), self.grid or ("all",) * 3, sizes, strict=True)
        inside[np.ix_(*(choose(axis, choice, size) for axis, choice, size in axes))] = True
        if self.mask is not None:
            if self.mask[1] != sizes:
                raise RegionError(f"the mask has the shape {self.mask[1]}; this run's token grid is {sizes}")
            inside &= np.frombuffer(self.mask[0], bool).reshape(sizes)
        return inside

    def text(self, slots: TextSlots | None, length: int) -> np.ndarray:
        """(text slots,): which of them; none where this text does not have the words."""
        inside = np.zeros(length, bool)
        for word in self.words:
            try:
                inside[slots_of(slots, word)] = True
            except UnknownWord:  # another sample's text has it: `check_words` saw to that
                pass
        return inside


def region(frames=None, y=None, x=None, mask=None, words: Iterable[str] | str = ()) -> Region:
    """Video tokens by their place in the token grid, text tokens by word; of both kinds when both are given.

    `frames`, `y`, `x`: "all", a number, a list, a range or a slice, in tokens; the axes left out are whole. `mask` is a
    boolean array (frame, y, x), such as a thresholded `run.word(...)`. `words`: words of the text that the
    batch row was given, and "<prompt>", "<eos>", "<pad>".
    """
    given = [axis is not None for axis in (frames, y, x)]
    if mask is not None:
        mask = np.asarray(mask)
        if mask.dtype != bool or mask.ndim != 3:
            raise RegionError(f"mask is {mask.dtype} of shape {mask.shape}; give booleans over (frame, y, x)")
        if not mask.any():
            raise RegionError("the mask is true nowhere; lower the threshold that made it")
        mask = np.ascontiguousarray(mask).tobytes(), mask.shape
    words = (words,) if isinstance(words, str) else tuple(words)
    if not any(given) and mask is None and not words:
        raise RegionError("region() chooses nothing; give frames, y, x, mask or words")
    grid = tuple("all" if axis is None else axis for axis in (frames, y, x)) if any(given) else None
    return Region(grid, mask, words)


def slots_of(slots: TextSlots | None, word: str) -> list[int]:
    """The text slots of a word, or of a kind of slots such as "<pad>". Raises UnknownWord with near matches."""
    if slots is None:
        raise UnknownWord(f"{word!r}: the pipeline got embeddings, words have no slots; give intervene(prompt=...)")
    if word.startswith("<") and word.endswith(">"):
        if word[1:-1] not in GROUPS:
            raise UnknownWord(f"{word!r} is no kind of slots; there are {', '.join(f'<{g}>' for g in GROUPS)}")
        return slots.groups[word[1:-1]]
    return slots.slots(word)


def check_words(words: Iterable[str], texts: Iterable[TextSlots | None]) -> None:
    """Raises UnknownWord if none of the texts has one of the words."""
    texts = list(texts) or [None]
    for word in words:
        refused = []
        for slots in texts:
            try:
                slots_of(slots, word)
            except UnknownWord as error:
                refused.append(error)
        if len(refused) == len(texts):
            raise refused[0]
