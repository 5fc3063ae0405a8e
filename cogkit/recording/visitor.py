"""Who may see the values that pass through a pipeline, and change them."""

from cogkit.recording.layout import Layout
from cogkit.recording.tokens import TextSlots


class RecordError(ValueError):
    """A pipeline that cannot be recorded, or a recording that holds nothing."""


class Visitor:
    """Someone to whom values are shown. `visit` returns a new value, or None to leave it."""

    edits = False
    kinds: frozenset[str] = frozenset()  # of hook points; no hook is laid for any other
    chunk = 64 * 2**20  # bytes of scratch for attention probabilities

    def prompted(self, prompts: tuple[TextSlots, ...], negatives: tuple[TextSlots, ...]) -> None:
        """A run begins. Empty when the pipeline was given embeddings only."""

    def begin(self, layout: Layout) -> None:
        """The first step begins: sizes are known and nothing has been computed."""

    def wants(self, kind: str, layer: int | None, step: int) -> bool:
        return False

    def visit(self, kind: str, layer: int | None, value, step: int):
        """For "attn.pattern" the value is a Pattern, and editors return a list of ColumnEdit."""

    def step_done(self, step: int, attended: set[int]) -> None:
        """`attended`: the layers whose attention was computed, not taken from a cache."""

    def sampled(self, guidance: float) -> None:
        """The scheduler has made a step, with this guidance scale (1: none)."""
