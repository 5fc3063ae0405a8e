"""Another prompt from some step on: which step decides what?"""

from dataclasses import dataclass

import torch
from torch import Tensor

from cogkit.interventions.editor import Editor, Intervention, InterventionError, Where
from cogkit.prompts import check_prompt
from cogkit.recording.points import Point


@dataclass(frozen=True, eq=False)
class PromptSwap(Intervention):
    prompts: tuple[str, ...]
    where: Where

    def __str__(self) -> str:
        return f"swap_prompt({', '.join(filter(None, [*map(repr, self.prompts), str(self.where)]))})"

    def editor(self, pipe) -> "PromptEditor":
        return PromptEditor(pipe, self)


class PromptEditor(Editor):
    def __init__(self, pipe, what: PromptSwap):
        super().__init__(pipe, [Point("prompt_embeds", None)], what.where)
        self.prompts = what.prompts
        for prompt in self.prompts:
            if prompt:  # an empty one is the usual negative prompt
                check_prompt(pipe, prompt)

    def begin(self, layout) -> None:
        super().begin(layout)
        if len(self.prompts) not in (1, layout.samples):
            raise InterventionError(f"{len(self.prompts)} prompts for {layout.samples} samples; give one, or one each")
        texts = list(self.prompts) * (layout.samples // len(self.prompts))
        encode = type(self.pipe).encode_prompt  # not the instance's: that one tells everybody that a run begins
        settings = {"do_classifier_free_guidance": False, "max_sequence_length": layout.text}
        self.embeds = encode(self.pipe, texts, **settings)[0]

    def edit(self, kind: str, layer: int | None, value: Tensor, step: int) -> Tensor:
        new = self.embeds.to(value).repeat(len(self.layout.branches), 1, 1)
        return torch.where(self.mask(kind, value), new, value)


def swap_prompt(prompt: str | list[str], steps="all", branch: str = "cond") -> PromptSwap:
    """The transformer reads `prompt` in these steps: steps=slice(5, None) is from the sixth on, steps=0 the first only.

    branch="uncond" swaps the negative prompt. Words that other interventions or a recording name stay those of the
    pipeline's own prompt, and stand for its slots.
    """
    return PromptSwap((prompt,) if isinstance(prompt, str) else tuple(prompt), Where(steps, branch))
