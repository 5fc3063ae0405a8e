"""What an intervention costs: the denoiser's run with it over the run without, in turns, on the same seeded model.

    .venv/bin/python benchmarks/interventions.py [--rounds 7] [--quick]

First every sort of intervention is made to do nothing (a factor of one, an identity, a run's own values) and the
latents are held against the plain run's; what the real one changes stands beside it. Only then are the real ones timed.
Prints a table as Markdown and writes it to benchmarks/results/interventions.md. Run it on an idle machine; it takes
a quarter of an hour. `--quick` takes a tiny model and one round: it shows that all rows are equal, no more.
"""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).parent / "peers"))

import torch
from side_by_side import Case, cells, difference, machine, span, timed
from subject import SIZES, build, call
from torch import Tensor

import cogkit

RESULT = Path(__file__).parent / "results" / "interventions.md"
WORD, BOUND = "star", 1e-4  # the bound: of a run's own columns, put in again in fp32
COLUMNS = (
    "intervention",
    "when it does nothing",
    "what it changes",
    "times slower (range)",
    "by processor time",
    "plain, s",
    "edited, s",
)
SEES = (
    cogkit.maps("video->text", words=[WORD], heads="each", dtype="float32"),
    cogkit.acts("blocks.*.resid_post.video", "blocks.*.attn.z", "prompt_embeds", branch="both"),
)


def rows(run) -> dict[str, tuple]:
    """name: (one that does nothing, or None where none can), the real one, and the bound on the difference."""
    every, half = "blocks.*.attn.z", cogkit.region(frames=0)
    resid, gates = "blocks.*.resid_post.video", "blocks.*.adaln1.gate.video"

    def same(value: Tensor) -> Tensor:
        return value

    def double(value: Tensor) -> Tensor:
        return value * 2

    return {
        "nothing, in the block": (None, None, 0),
        "reweight a word": (cogkit.reweight({WORD: 1.0}), cogkit.reweight({WORD: 2.0}), 0),
        "knock out a word": (cogkit.reweight({WORD: 1.0}), cogkit.knock_out(WORD), 0),
        "knock out padding": (cogkit.reweight({"<pad>": 1.0}), cogkit.knock_out("<pad>"), 0),
        "knock out a frame": (cogkit.reweight({half: 1.0}), cogkit.knock_out(half), 0),
        "inject a word's columns": (cogkit.inject(WORD, from_=run), cogkit.inject({WORD: "<eos>"}, from_=run), BOUND),
        "ablate one head": (cogkit.edit(every, change=same, heads=[0]), cogkit.ablate(every, heads=[0]), 0),
        "ablate to the mean": (cogkit.edit(every, change=same), cogkit.ablate(every, mode="mean"), 0),
        "patch attention": (cogkit.patch(every, from_=run, branch="both"),) * 2 + (0,),
        "patch the residual": (cogkit.patch(resid, from_=run, branch="both"),) * 2 + (0,),
        "edit the residual": (cogkit.edit(resid, change=same), cogkit.edit(resid, change=double), 0),
        "modulate gates": (cogkit.edit(gates, change=same), cogkit.modulate(gates, times=0.5), 0),
        "swap the prompt": (cogkit.patch("prompt_embeds", from_=run), cogkit.swap_prompt("a blue square"), 0),
    }


def edited(pipe, size, edit) -> Tensor:
    with cogkit.intervene(pipe, *([edit] if edit is not None else [])):
        return pipe(**call(size)).frames


def line(name: str, pipe, size, nothing, edit, bound: float, rounds: int) -> str:
    """A line of the table. Raises UnequalError."""

    def plain() -> Tensor:
        return pipe(**call(size)).frames

    equal = difference(Case(plain, partial(edited, pipe, size, nothing), bound))
    changed = (edited(pipe, size, edit) - plain()).abs().max().item()
    time = timed(Case(partial(edited, pipe, size, edit), plain), rounds)  # its ratio is that of the first to the second
    seconds = (f"{s:.2f}" for s in (time.cpu_ratio, time.twin, time.stock))
    return cells(name, equal, f"{changed:.1g}", span(time), *seconds)


@torch.no_grad()
def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--quick", action="store_true", help="a tiny model, one round, nothing written")
    arguments.add_argument("--only", default="", help="rows whose name contains this")
    options = arguments.parse_args()
    lines = [machine()]
    print(lines[0], flush=True)
    for name in ["quick"] if options.quick else ["nano", "middle"]:
        size = SIZES[name]
        pipe = build(size)
        with cogkit.record(pipe, *SEES) as rec:
            pipe(**call(size))
        tokens, layers = rec.run.notes["tokens"], rec.run.notes["layers"]
        lines += ["", f"## {tokens:,} tokens, {layers} layers", "", cells(*COLUMNS), cells(*["---"] * len(COLUMNS))]
        print("\n".join(lines[-5:]), flush=True)
        for row, (nothing, edit, bound) in rows(rec.run).items():
            if options.only in row:
                lines.append(line(row, pipe, size, nothing, edit, bound, 1 if options.quick else options.rounds))
                print(lines[-1], flush=True)
    if not options.quick and not options.only:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text("\n".join(["# What an intervention costs", "", *lines, ""]))


if __name__ == "__main__":
    main()
