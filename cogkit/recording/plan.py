"""What a recording will cost, before anything runs."""

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from cogkit.recording.kernel import fused
from cogkit.recording.layout import Anatomy, Layout, patch_grid
from cogkit.recording.store import WAITING
from cogkit.recording.tokens import text_slots

OF_WORDS = ("video->text", "text->video")  # the relations whose size depends on the prompt
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


class BudgetError(ValueError):
    """A recording that would take more than it may."""


@dataclass(frozen=True)
class Cost:
    selector: str
    kept: int  # bytes of the recorded arrays
    scratch: int  # bytes, while it works
    share: float  # extra multiplications over those of the denoiser's whole run


@dataclass(frozen=True)
class Plan:
    """`memory` and `disk` in bytes, `share` of the denoiser's work; `costs` has them by selector. Printed, a table.

    Memory counts the tensors of the recording, not what the process and its allocator add to them.
    """

    costs: tuple[Cost, ...]
    memory: int
    disk: int

    @property
    def total(self) -> int:
        return self.memory + self.disk

    @property
    def share(self) -> float:
        return sum(cost.share for cost in self.costs)

    def __str__(self) -> str:
        rows = [(c.selector, in_bytes(c.kept), in_bytes(c.scratch), f"{c.share:.2%}") for c in self.costs]
        rows = [("selector", "kept", "scratch", "extra work"), *rows]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = [
            "  ".join(
                cell.ljust(w) if not i else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        return "\n".join(
            [*lines, f"memory {in_bytes(self.memory)}, disk {in_bytes(self.disk)}, work +{self.share:.2%}"]
        )


def make_plan(selectors: Sequence, layout: Layout, sizes: Anatomy, to_disk: bool, fused_lse: bool = True) -> Plan:
    run = denoiser_work(layout, sizes)
    costs, blocks, asked = [], [0], set()
    for selector in selectors:
        parts = selector.bind(layout, sizes)
        blocks += [slab.block_bytes for part in parts for slab in part.slabs]
        work = sum(part.work for part in parts)
        calls = {
            (step, layer)
            for step in range(layout.steps)
            for layer in range(sizes.layers)
            if any(part.wants("attn.pattern", layer, step) for part in parts)
        } - asked
        asked |= calls
        if not fused_lse:  # a second pass over the scores of every batch row
            rows = layout.samples * len(layout.branches)
            work += 2 * len(calls) * rows * layout.tokens**2 * sizes.width
        kept = sum(slab.bytes for part in parts for slab in part.slabs)
        costs.append(Cost(label(selector), kept, max(part.scratch for part in parts), work / run))
    kept, scratch = sum(cost.kept for cost in costs), max(cost.scratch for cost in costs)
    waiting = (WAITING + 2) * max(blocks)
    return Plan(tuple(costs), (waiting if to_disk else kept) + scratch, kept if to_disk else 0)


def denoiser_work(layout: Layout, sizes: Anatomy) -> int:
    """Multiplications and additions of all blocks and steps: projections, feed-forward 24 S D^2, attention 4 S^2 D."""
    block = 24 * layout.tokens * sizes.width**2 + 4 * layout.tokens**2 * sizes.width
    return block * sizes.layers * layout.steps * layout.samples * len(layout.branches)


def label(selector) -> str:
    return getattr(selector, "group", None) or ", ".join(getattr(selector, "patterns", ())) or "trajectory"


def planned_layout(pipe, selectors: Sequence, args: tuple, call: dict) -> Layout:
    """The layout of `pipe(*args, **call)`, from its arguments, the pipeline's defaults and the config."""
    given = inspect.signature(type(pipe).__call__).bind_partial(pipe, *args, **call)
    given.apply_defaults()
    given, config = given.arguments, pipe.transformer.config
    frames, height, width = latent_sizes(pipe, given)
    prompt, states = given.get("prompt"), given.get("prompt_embeds")
    asked = [selector.words for selector in selectors if getattr(selector, "relation", None) in OF_WORDS]
    if prompt is None and all(asked):  # the words' own pieces, as if they were the prompt
        prompt = " ".join(sorted({word.partition("#")[0] for words in asked for word in words})) or None
    prompts = [prompt] if isinstance(prompt, str) else prompt or []
    samples, text = len(prompts) or 1, given.get("max_sequence_length", 226)
    if states is not None:
        samples, text = states.shape[:2]
        prompts = prompts * samples if len(prompts) == 1 else prompts
    slots = tuple(text_slots(pipe.tokenizer, each, text) for each in prompts)
    steps = len(given.get("timesteps") or ()) or given["num_inference_steps"]
    steps = min(int(steps * given.get("strength", 1)), steps)  # video to video begins in the middle
    branches = ("uncond", "cond") if given["guidance_scale"] > 1 else ("cond",)
    grid, latents = patch_grid(config, frames, height, width), (frames, config.out_channels, height, width)
    return Layout(samples, branches, text, *grid, latents, tuple(range(steps)), slots, slots)


def latent_sizes(pipe, given: dict) -> tuple[int, int, int]:
    """Latent frames, y and x: of the latents that the pipeline is given, else of the video, else of the sizes."""
    if given.get("latents") is not None:
        frames, _, height, width = given["latents"].shape[1:]
        return frames, height, width
    config, space = pipe.transformer.config, pipe.vae_scale_factor_spatial
    videos = [given[name] for name in ("video", "control_video") if given.get(name) is not None]
    if videos:
        batch = isinstance(videos[0][0], list) or getattr(videos[0][0], "ndim", 3) == 4
        frames = len(videos[0][0] if batch else videos[0])
    else:
        frames = given.get("num_frames") or config.sample_frames
    frames, fold = (frames - 1) // pipe.vae_scale_factor_temporal + 1, getattr(config, "patch_size_t", None) or 1
    height = (given.get("height") or config.sample_height * space) // space
    width = (given.get("width") or config.sample_width * space) // space
    return -(-frames // fold) * fold, height, width


def check_budget(selectors: Sequence, layout: Layout, sizes: Anatomy, to_disk: bool, budget: str | int | None) -> Plan:
    """Raises BudgetError, with the one change that brings it under, if the recording would take more than `budget`."""
    plan = make_plan(selectors, layout, sizes, to_disk)
    limit = None if budget is None else bytes_of(budget)
    if limit is None or plan.total <= limit:
        return plan
    heaviest = sorted(range(len(selectors)), key=lambda k: -plan.costs[k].kept - plan.costs[k].scratch)
    what = f"the recording would take {in_bytes(plan.total)}, its budget is {in_bytes(limit)}"
    for k in heaviest:
        for knob, changed in knobs(selectors[k], layout, sizes):
            smaller = make_plan([*selectors[:k], changed, *selectors[k + 1 :]], layout, sizes, to_disk).total
            if smaller <= limit:
                raise BudgetError(f"{what}; {knob} in {label(changed)!r} brings it to {in_bytes(smaller)}")
    raise BudgetError(
        f"{what}; no single knob brings it under: of {label(selectors[heaviest[0]])!r} record fewer layers and steps"
    )


def knobs(selector, layout: Layout, sizes: Anatomy):
    """Changes that make a selector smaller, the ones that lose least first."""
    if hasattr(selector, "chunk") and selector.chunk > 2**20:
        yield f"chunk={2**20}", replace(selector, chunk=2**20)
    if getattr(selector, "dtype", None) == "float32" and not hasattr(selector, "heads"):
        yield "dtype='float16'", replace(selector, dtype="float16")
    if getattr(selector, "heads", "mean") != "mean":
        yield "heads='mean'", replace(selector, heads="mean")
    for name, count in (("steps", layout.steps), ("layers", sizes.layers)):
        for stride in range(2, count + 1) if hasattr(selector, name) and getattr(selector, name) == "all" else ():
            yield f"{name}=range(0, {count}, {stride})", replace(selector, **{name: range(0, count, stride)})


def has_fused_lse(pipe) -> bool:
    """Does a kernel tell the log-sum-exp on the pipeline's device?"""
    model = pipe.transformer
    q = torch.empty(1, 1, 16, model.config.attention_head_dim, dtype=model.dtype, device=model.device)
    return model.device.type != "meta" and fused(q, q, q, 1.0)[1] is not None


def bytes_of(size: str | int) -> int:
    """ "2GB", "300 MB" or a number -> bytes (powers of 1000)."""
    found = re.fullmatch(r"([\d.]+)\s*([KMGT]?)B?", str(size).strip().upper())
    if not found:
        raise BudgetError(f"budget={size!r} is no size; give bytes or a string such as '2GB'")
    return int(float(found[1]) * UNITS[found[2]])


def in_bytes(size: int) -> str:
    unit = next((u for u in "TGMK" if size >= UNITS[u]), "")
    return f"{size / UNITS[unit]:.3g} {unit}B"
