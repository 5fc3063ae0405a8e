"""One switchboard a pipeline: hooks on module paths carry every value past those who edit and then those who read.

Instances are wrapped, classes never are: forward hooks on the modules, `scheduler.step` and `encode_prompt` on their
objects, and a torch function mode that is on only inside of an `attn1` and sees its attention call. All of it is gone
when the last visitor leaves. Editors come before readers, whoever entered first: a recording sees what was edited.
"""

import inspect
import weakref
from contextlib import contextmanager

import torch

from cogkit.recording.block_taps import joined, refuse_compiled, tap_block, wrap
from cogkit.recording.layout import Layout, patch_grid
from cogkit.recording.points import SAMPLER, VAE
from cogkit.recording.tokens import TextSlots, text_slots
from cogkit.recording.vae_taps import tap_vae
from cogkit.recording.visitor import RecordError, Visitor

_boards: "weakref.WeakKeyDictionary[torch.nn.Module, Board]" = weakref.WeakKeyDictionary()


@contextmanager
def visiting(pipe, *visitors: Visitor, prompt: str | list[str] | None = None):
    """Within the block, the visitors see every run of `pipe`. `prompt` names the text if only embeddings are given."""
    board = _boards.get(pipe.transformer)
    if board is None:
        board = _boards[pipe.transformer] = Board(pipe)
    elif board.pipe is not pipe:
        raise RecordError("this transformer is watched through another pipeline already; leave that block first")
    try:
        board.enter(visitors)
        if prompt is not None:
            board.told = prompt
            board.prompted(None, None, None)
        yield board
    finally:
        board.leave(visitors)
        if not board.visitors:
            _boards.pop(pipe.transformer, None)


class Board:
    def __init__(self, pipe):
        refuse_compiled(pipe.transformer)
        self.pipe, self.transformer, self.visitors, self._undo = pipe, pipe.transformer, [], []
        self.layout: Layout | None = None
        self.step, self.guided, self.modes = -1, None, []  # modes: the AttentionTap, while attention runs
        self.told, self.texts = [], ([], [])  # the text of embeddings; prompts and negative prompts of this run
        self.early: list[tuple] = []  # what the VAE said before the first step
        self.attended: set[int] = set()  # layers whose attention ran in this step
        self.latents: torch.Tensor | None = None  # what an editor put in their place, until the sampler's step

    def enter(self, visitors) -> None:
        self.visitors = sorted([*self.visitors, *visitors], key=lambda visitor: not visitor.edits)
        self._detach()  # the new ones may need more hooks
        self._attach()

    def leave(self, visitors) -> None:
        self.visitors = [visitor for visitor in self.visitors if visitor not in visitors]
        self._detach()
        if self.visitors:
            self._attach()

    def leave_attention(self) -> None:
        while self.modes:
            self.modes.pop().__exit__(None, None, None)

    def _detach(self) -> None:
        self.leave_attention()  # whoever stops a cell stops it there, and torch ends no hook for a KeyboardInterrupt
        while self._undo:
            self._undo.pop()()

    def send(self, kind: str, layer: int | None, value, among: list[Visitor] | None = None):
        """Past the visitors; returns the very same object when nobody edited it."""
        if not self.is_whole(kind, value):
            return value
        for visitor in self.visitors if among is None else among:
            if visitor.wants(kind, layer, self.step):
                new = visitor.visit(kind, layer, value, self.step)
                value = value if new is None or not visitor.edits else new
        return value

    def is_whole(self, kind: str, value) -> bool:
        """Has it all batch rows? In some steps FasterCache leaves one branch out: nobody is shown the rest."""
        return kind in (*SAMPLER, *VAE) or len(value) == self.layout.samples * len(self.layout.branches)

    def wanted(self, kind: str, layer: int | None) -> bool:
        return any(visitor.wants(kind, layer, self.step) for visitor in self.visitors)

    def _attach(self) -> None:
        transformer, add = self.pipe.transformer, self._undo.append
        kinds = frozenset().union(*(visitor.kinds for visitor in self.visitors))
        add(transformer.register_forward_pre_hook(self._step_begins, with_kwargs=True, prepend=True).remove)
        add(transformer.register_forward_hook(self._step_ends).remove)
        add(transformer.time_embedding.register_forward_hook(lambda m, i, out: self.send("temb", None, out)).remove)
        if kinds & {"embed.text", "embed.video"}:
            add(transformer.patch_embed.register_forward_hook(self._embedded).remove)
        for index, block in enumerate(transformer.transformer_blocks):
            self._undo.extend(tap_block(self, index, block, kinds))
        for kind, module in (("final.norm", transformer.norm_out), ("final.proj", transformer.proj_out)):
            add(module.register_forward_hook(lambda m, i, out, kind=kind: self.send(kind, None, out)).remove)
        self._undo.extend(tap_vae(self, kinds))
        add(wrap(self.pipe.scheduler, "step", self._sampler_steps))
        add(wrap(self.pipe, "encode_prompt", self._prompt_comes))

    def _prompt_comes(self, encode, *args, **kwargs):
        if self.pipe.transformer is not self.transformer:
            raise RecordError("the transformer was replaced within the block; swap first, then record or intervene")
        given = inspect.signature(encode).bind(*args, **kwargs)
        given.apply_defaults()
        given = given.arguments
        self.guided = given["do_classifier_free_guidance"]
        self.prompted(given["prompt"], given["negative_prompt"], given["max_sequence_length"])
        return encode(*args, **kwargs)

    def prompted(self, prompt, negative, slots) -> None:
        """A new run begins."""
        self.leave_attention()
        self.step, self.layout, self.early = -1, None, []
        prompt, negative = self.told if prompt is None else prompt, negative or ""
        prompts = [prompt] if isinstance(prompt, str) else prompt
        self.texts = prompts, [negative] * len(prompts) if isinstance(negative, str) else negative
        laid_out = self._laid_out(slots or self.pipe.transformer.config.max_text_seq_length)
        for visitor in self.visitors:
            visitor.prompted(*laid_out)

    def _laid_out(self, slots: int) -> tuple[tuple[TextSlots, ...], ...]:
        return tuple(tuple(text_slots(self.pipe.tokenizer, text, slots) for text in texts) for texts in self.texts)

    def _step_begins(self, transformer, args, kwargs):
        names = ("hidden_states", "encoder_hidden_states", "timestep")
        given = dict(zip(names, args, strict=False)) | kwargs
        self.step += 1
        self.attended = set()
        if self.layout is None:
            self.layout = self._lay_out(given)
            for visitor in self.visitors:
                visitor.begin(self.layout)
            for kind, value in self.early:
                self.send(kind, None, value)
            self.early = []
        noisy, text = given["hidden_states"], given["encoder_hidden_states"]
        new = {"hidden_states": self._noisy(noisy), "encoder_hidden_states": self.send("prompt_embeds", None, text)}
        if new["hidden_states"] is noisy and new["encoder_hidden_states"] is text:
            return None
        args = tuple(new.get(name, arg) for name, arg in zip(names, args, strict=False)) + args[len(names) :]
        return args, kwargs | {name: value for name, value in new.items() if name in kwargs}

    def _noisy(self, hidden):
        """What the transformer gets: edited latents, once for every branch, with an image's latents beside them.

        Editors see the latents here, before the transformer does; readers see them in the sampler's step.
        """
        editors, layout = [visitor for visitor in self.visitors if visitor.edits], self.layout
        own = hidden[-layout.samples :, :, : layout.latents[1]]
        new = self.send("latents", None, own, editors)
        self.latents = None if new is own else new
        if self.latents is None:
            return hidden
        return torch.cat([new.repeat(len(layout.branches), 1, 1, 1, 1), hidden[:, :, own.shape[2] :]], dim=2)

    def _lay_out(self, given) -> Layout:
        batch, frames, _, height, width = given["hidden_states"].shape
        guided = self.guided if self.guided is not None else getattr(self.pipe, "_guidance_scale", 1.0) > 1
        branches = ("uncond", "cond") if guided else ("cond",)
        steps = getattr(self.pipe, "_num_timesteps", 1)
        timesteps = [int(time) for time in self.pipe.scheduler.timesteps[-steps:].tolist()]
        config = self.pipe.transformer.config
        grid, latents = patch_grid(config, frames, height, width), (frames, config.out_channels, height, width)
        text, samples = given["encoder_hidden_states"].shape[1], batch // len(branches)
        texts = self._laid_out(text) if len(self.texts[0]) == samples else ((), ())
        return Layout(samples, branches, text, *grid, latents, tuple(timesteps), *texts)

    def _embedded(self, module, inputs, out):
        text, video = out[:, : self.layout.text], out[:, self.layout.text :]
        return joined(text, video, self.send("embed.text", None, text), self.send("embed.video", None, video))

    def _step_ends(self, transformer, inputs, out):
        for visitor in self.visitors:
            visitor.step_done(self.step, self.attended)

    def _sampler_steps(self, step, *args, **kwargs):
        given = inspect.signature(step).bind(*args, **kwargs)
        held = given.arguments
        held["model_output"] = self.send("model_output", None, held["model_output"])
        if self.latents is not None:
            held["sample"] = self.latents.to(held["sample"].dtype)
        self.send("latents", None, held["sample"], [visitor for visitor in self.visitors if not visitor.edits])
        out = step(*given.args, **given.kwargs)
        if self.wanted("x0", None):
            found = out[1] if isinstance(out, tuple) and len(out) > 1 else getattr(out, "pred_original_sample", None)
            if found is None:
                raise RecordError(f"{type(self.pipe.scheduler).__name__}.step tells no x0; record without x0=True")
            self.send("x0", None, found)
        guidance = float(self.pipe.guidance_scale) if "uncond" in self.layout.branches else 1.0
        for visitor in self.visitors:
            visitor.sampled(guidance)
        return out
