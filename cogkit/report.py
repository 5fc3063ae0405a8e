"""What `make run` looks at while it generates, and the pictures that it draws of it: from one run, the same video."""

import base64
import time
from dataclasses import dataclass

import numpy as np
from diffusers import CogVideoXPipeline

from cogkit import plots
from cogkit.generation import Generation, Settings, decode
from cogkit.plots.figure import Picture, png
from cogkit.preview import fit_preview
from cogkit.recording.concepts import concepts
from cogkit.recording.recipes import PREFERRED
from cogkit.recording.selectors import acts, maps
from cogkit.recording.tokens import UnknownWord, text_slots
from cogkit.world.vocabulary import SHAPES

WORDS = 5  # that get a map
EVERY = 4  # steps between two that are asked for frame-to-frame attention, which costs a second attention
FIGURES = 11
LABOUR = 2.5  # how much longer the mean picture, with its share of films and page, takes than one of latents
NEEDED = ("video->text", "text->video", "frame->frame", "adaln1.gate.video")  # of what `looks` records
BY = {recipe.relation: recipe for recipe in PREFERRED}


@dataclass(frozen=True)
class Section:
    """Pictures under one heading, and the sentence that says how to read them."""

    heading: str
    note: str
    pictures: tuple[Picture, ...]

    def encoded(self) -> list[dict[str, str]]:
        return [{"png": base64.b64encode(png(p)).decode(), "alt": p.alt, "table": p.table} for p in self.pictures]


def looks(pipe: CogVideoXPipeline, settings: Settings) -> tuple:
    """The selectors of the report; the trajectory is always recorded."""
    words = words_to_map(pipe, settings.prompt)
    return (
        maps("video->text", words=words),
        maps("text->video", words=words),
        concepts(concept_of(pipe, settings.prompt)),
        maps("frame->frame", steps=slice(None, None, EVERY)),
        acts("blocks.*.adaln*.gate.*"),
    )


def words_to_map(pipe: CogVideoXPipeline, prompt: str) -> list[str]:
    """The prompt's first words of more than two letters: without a, of, on."""
    words = [word for word in text_slots(pipe.tokenizer, prompt, _slots(pipe)).words() if "#" not in word]
    return ([word for word in words if len(word) > 2] or words)[:WORDS]


def sections(generation: Generation, pipe: CogVideoXPipeline) -> list[Section]:
    """Every plot of cogkit.plots that one run can fill, in the order in which the model works."""
    run, clip, prompt = generation.run, generation.frames, generation.settings.prompt
    words = words_to_map(pipe, prompt)
    last = run["x0"].isel(step=-1)
    preview = fit_preview(last.values, clip)
    half = len(run["x0"]) // 2
    halfway = decode(pipe, generation.trajectory.x0[half])
    notes = [
        "First, of the attention that a patch pays to the prompt, the share of each word: the mean over steps, layers "
        "and heads. Then the other way, what each word itself attends to in the last steps."
    ]
    word_maps = [
        plots.word_map(run, words, over=clip, show="share"),
        plots.word_map(run, words, over=clip, show=BY["text->video"]),
    ]
    if "concepts" in run:  # an explorer's run has none
        word = concept_of(pipe, prompt)
        notes.append(
            f"Last, one word alone as a concept: “{word}” and “background” go through the layers beside the prompt, "
            "unseen by the video, and share out each patch by whose attention output is more like the patch's own. "
            "That finds things, though not whose word it is."
        )
        word_maps.append(plots.word_map(run, word, over=clip, show=BY["concepts"]))
    return [
        Section("Words and patches", " ".join(notes), tuple(word_maps)),
        Section(
            "Which head looks at which frame",
            "In latent frames; the mean over the recorded steps. Bright diagonals stay in their own frame.",
            (plots.head_atlas(run), plots.frame_matrix(run)),
        ),
        Section(
            "How far each layer is opened",
            "Expert AdaLN's gates. They follow from the timestep alone: no prompt and no seed changes them.",
            (plots.adaln_gates(run),),
        ),
        Section(
            "The latents",
            "What the decoder gets: by channel, as three colours, and through a linear map fitted to this clip.",
            (plots.latent_channels(last), plots.latent_pca(last, clip), plots.latent_preview(last, preview, clip)),
        ),
        Section(
            "From noise to video",
            "First what the sampler holds, and the clean latents x0 that the model believes in, through the linear "
            "map. Then x0 of the middle step, decoded, against the finished video.",
            (
                plots.trajectory_strip(run, preview),
                plots.difference_strip(halfway, clip, (f"x0 at step {int(run['x0'].step[half])}", "the video")),
            ),
        ),
    ]


def word_of_interest(pipe: CogVideoXPipeline, prompt: str) -> str:
    """The word whose map the report plays: a shape, if the prompt has one, else the first that can be a concept."""
    words = words_to_map(pipe, prompt)
    words = [word for word in words if _can_be_concept(pipe, word)] or words
    return next((word for word in words if word.strip(".,") in SHAPES), words[0])


def concept_of(pipe: CogVideoXPipeline, prompt: str) -> str:
    """The concept that the report looks for: the word of interest, or a shape if that is none."""
    word = word_of_interest(pipe, prompt)
    return word if _can_be_concept(pipe, word) else SHAPES[0]


def _can_be_concept(pipe: CogVideoXPipeline, word: str) -> bool:
    """Does the tokenizer know it, and can it be set against the background?"""
    try:
        return bool(text_slots(pipe.tokenizer, f"a {word}", _slots(pipe)).slots(word)) and word != "background"
    except UnknownWord:
        return False


def estimate_report_seconds() -> float:
    """How long the report's pictures will take here, from a typical one drawn twice (the first warms it up)."""
    for _ in range(2):
        since = time.monotonic()
        png(plots.latent_channels(np.random.default_rng(0).normal(size=(5, 16, 16, 16))))
    return LABOUR * FIGURES * (time.monotonic() - since)


def _slots(pipe: CogVideoXPipeline) -> int:
    return pipe.transformer.config.max_text_seq_length
