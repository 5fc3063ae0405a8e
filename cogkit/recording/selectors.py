"""What to record: attention relations, activations at hook points, the sampler's trajectory."""

from collections.abc import Iterable
from dataclasses import dataclass

from cogkit.recording.act_recorder import ActRecorder, bind_acts
from cogkit.recording.frame_recorder import FrameToFrame
from cogkit.recording.layout import Anatomy, Layout
from cogkit.recording.map_recorder import Rows, VideoToText
from cogkit.recording.points import SAMPLER, UnknownPoint, choose
from cogkit.recording.tokens import TextSlots, UnknownWord

MB = 2**20
DTYPES = ("float16", "float32", "float64")
RELATIONS = {"video->text": VideoToText, "text->video": Rows, "video->video": Rows, "frame->frame": FrameToFrame}


class SelectorError(ValueError):
    """A selector that asks for something that does not fit together."""


@dataclass(frozen=True)
class Maps:
    relation: str
    words: tuple[str, ...] | None
    queries: tuple[tuple[int, int, int], ...]
    layers: object
    steps: object
    heads: object
    branch: str
    dtype: str
    chunk: int
    group: str

    def bind(self, layout: Layout, anatomy: Anatomy) -> list:
        return [RELATIONS[self.relation](self, layout, anatomy)]

    def words_of(self, layout: Layout) -> list[str]:
        """The words to record; by default all of the prompt's."""
        if self.words is not None:
            return list(self.words)
        if not layout.prompts:
            raise SelectorError("which words? the prompt is not known here; give words=, or prompt= to record or plan")
        return list(dict.fromkeys(word for slots in layout.prompts for word in slots.words()))

    def slots_of(self, prompt: TextSlots | None, word: str) -> list[int] | None:
        try:
            return prompt.slots(word) if prompt else None
        except UnknownWord:  # another sample's prompt has it: `check_words` saw to that
            return None

    def check_words(self, prompts: tuple[TextSlots, ...]) -> None:
        """Raises UnknownWord if no prompt has one of the words, SelectorError if there are words but no prompt."""
        if self.words and not prompts:
            raise SelectorError(
                "the pipeline got embeddings, so words have no slots; give the text of each: record(prompt=...)"
            )
        for word in self.words or ():
            refused = [_refusal(slots, word) for slots in prompts]
            if all(refused):
                raise refused[0]


def _refusal(slots: TextSlots, word: str) -> UnknownWord | None:
    try:
        slots.slots(word)
    except UnknownWord as error:
        return error


@dataclass(frozen=True)
class Acts:
    patterns: tuple[str, ...]
    steps: object
    branch: str
    dtype: str

    def bind(self, layout: Layout, anatomy: Anatomy) -> list:
        return bind_acts(self, layout, anatomy)


@dataclass(frozen=True)
class Trajectory:
    kinds: tuple[str, ...]
    steps: object

    def bind(self, layout: Layout, anatomy: Anatomy) -> list:
        steps = choose("steps", self.steps, layout.steps)
        return [
            ActRecorder(kind, None, steps, ("cond",), "float32", layout, anatomy, "trajectory") for kind in self.kinds
        ]


def maps(
    relation: str,
    words: Iterable[str] | str | None = None,
    queries: Iterable[tuple[int, int, int]] = (),
    layers="all",
    steps="all",
    heads: str | int | Iterable[int] | None = None,
    branch: str = "cond",
    dtype: str = "float16",
    chunk: int = 64 * MB,
    name: str | None = None,
) -> Maps:
    """Attention from the queries on the left to the keys on the right of `relation`.

    "video->text": for every video patch, its attention on `words` (None: all of the prompt) and on prompt, eos, pad.
    "text->video": what the words' own slots attend to. "video->video": what the patches in `queries`, as
    (frame, y, x) of the token grid, attend to. "frame->frame": mass between latent frames.
    `layers`, `steps`: "all", a number, a list, a range or a slice. `heads`: "mean", "each" or a list of them; None is
    "each" for frames and "mean" else. `branch`: "cond", "uncond" or "both". `chunk`: bytes of scratch.
    Cost: `plan()` knows. "video->text" is under one percent of the attention at real sizes; "frame->frame" doubles it.
    """
    if relation not in RELATIONS:
        raise SelectorError(f"relation={relation!r} is unknown; there are {', '.join(RELATIONS)}")
    queries = tuple(tuple(query) for query in queries)
    if (relation == "video->video") != bool(queries):
        raise SelectorError(f"{relation!r} with queries={queries}: 'video->video' needs queries, others take none")
    if words is not None and relation in ("video->video", "frame->frame"):
        raise SelectorError(f"{relation!r} takes no words; 'video->text' and 'text->video' do")
    words = (words,) if isinstance(words, str) else words
    heads = ("each" if relation == "frame->frame" else "mean") if heads is None else heads
    if not isinstance(heads, str | int):
        heads = tuple(heads)
    words = None if words is None else tuple(dict.fromkeys(words))
    check_dtype(dtype)
    return Maps(relation, words, queries, layers, steps, heads, branch, dtype, chunk, name or relation)


def acts(*patterns: str, steps="all", branch: str = "cond", dtype: str = "float32") -> Acts:
    """Values at the hook points that the shell-style patterns match, such as "blocks.*.attn.z" or "temb".

    They are kept whole: see `plan()` before asking for many. q, k, v, z have all tokens, text first. "vae.decoder" has
    the frames of the one decoding, "vae.encoder" an image's mean and log variance: (sample, frame, channel, y, x).
    """
    if not patterns:
        raise SelectorError("acts() chooses nothing; give a pattern such as 'blocks.*.resid_post.video'")
    check_dtype(dtype)
    return Acts(patterns, steps, branch, dtype)


def check_dtype(dtype: str) -> None:
    """Raises SelectorError for what a recording's arrays cannot be of."""
    if dtype not in DTYPES:
        raise SelectorError(f"dtype={dtype!r}: what is recorded is kept in numpy; give {', '.join(map(repr, DTYPES))}")


def trajectory(latents: bool = True, x0: bool = True, model_output: bool = False, steps="all") -> Trajectory:
    """The sampler: noisy latents before each step, predicted-clean x0, v after guidance; sigma and guidance too."""
    kinds = tuple(kind for kind, wanted in zip(SAMPLER, (latents, model_output, x0), strict=True) if wanted)
    if not kinds:
        raise UnknownPoint("trajectory() with everything off records nothing")
    return Trajectory(kinds, steps)
