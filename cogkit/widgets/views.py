"""What the sampling explorer draws: plain functions from a generation to a picture and a sentence that reads it out.

    figure, readout = views.words(made, "red", step=10, layer=2)

None for a step, a layer or a head is the mean over all that were recorded.
"""

import numpy as np
import torch

from cogkit import plots
from cogkit.generation import Generation, decode
from cogkit.plots.figure import Picture, PlotError, describe, picture
from cogkit.plots.gates import NORMS
from cogkit.plots.strips import Row, even, middle, span_name, spans, strips
from cogkit.plots.tables import percent
from cogkit.preview import fit_preview
from cogkit.world.captions import told
from cogkit.world.judge import read_video

Looked = tuple[Picture, str]
DIRECTIONS = {"the patches look at the word": "video->text", "the word looks at the patches": "text->video"}


def latents(made: Generation, step: int | None = None, pipe=None) -> Looked:
    """What the sampler holds at a step and the clean latents it believes in; every step of one frame if `step` is None.

    Through a linear map of 51 numbers fitted to this clip, or x0 through the decoder itself, if there is a `pipe`.
    """
    data = made.run["trajectory"]
    preview = fit_preview(data["x0"].values[-1], made.frames)
    if step is None:
        figure = plots.trajectory_strip(made.run, preview)
        return figure, figure.alt
    here = _at(data, step=step)
    times = f"step {step}, train timestep {int(here.train_timestep)}"
    if pipe is None:
        decoded, drawn = preview(here["x0"].values), "through the linear map"
        clip = made.frames
    else:
        decoded, drawn = decode(pipe, torch.from_numpy(here["x0"].values)), "decoded"
        clip = decoded
    figure = _belief(made, preview(here["latents"].values), decoded, drawn, times)
    readout = f"At {times}, {percent(float(here.sigma) ** 2)} of the latents' variance is noise. "
    if pipe is None:
        return figure, readout + "The linear map shows colours and places, not edges."
    return figure, readout + f"In the decoded x0 the judge sees {told(read_video(clip))}."


@picture
def _belief(made: Generation, held, believed, drawn: str, times: str) -> Picture:
    parts = spans(len(made.frames), len(held))
    shown = even(len(parts), 7)
    one_each = len(believed) == len(held)
    rows = [
        Row("latents", [held[k] for k in shown], titles=[span_name(parts[k]) for k in shown]),
        Row(f"x0,\n{drawn}", [believed[k if one_each else middle(parts[k])] for k in shown]),
        Row("the video", [made.frames[middle(parts[k])] for k in shown]),
    ]
    figure, _ = strips(rows)
    figure.suptitle(f"Held and believed at {times}")
    alt = f"Three rows of {len(shown)} frames at {times}: the noisy latents, x0 {drawn}, and the finished video."
    return describe(figure, alt)


def words(
    made: Generation, word: str, relation="video->text", step: int | None = None, layer=None, head=None
) -> Looked:
    """Attention between a word and the patches, in times of uniform attention; "<eos>" and "<pad>" are words too."""
    data = made.run[relation]
    if word not in data.word:
        raise PlotError(f"{word!r} has no map in {relation!r}; there are {', '.join(data.word.values.tolist())}")
    where = {"step": step, "layer": layer} | ({"head": head} if "head" in data.dims else {})
    calls = _at(data["lift"].isel(branch=-1, drop=True).sel(word=word, drop=True).astype("float32"), **where)
    found = calls.mean([axis for axis in ("step", "layer", "head") if axis in calls.dims])
    found.attrs["recipe"] = "reads" if relation == "text->video" else "lift"
    figure = plots.word_map(found, word, over=made.frames)
    frame, y, x = np.unravel_index(found.values.argmax(), found.shape)
    says = "attends to" if relation == "text->video" else "is attended to from"
    readout = (
        f"{_calls(where)}: “{word}” {says} patch x {x}, y {y} of latent frame {frame} most, "
        f"{found.values.max():.2g} times uniform; the mean over the patches is {found.values.mean():.2g} times uniform."
    )
    return figure, readout


def heads(made: Generation, step: int | None = None, layer=None, head=None) -> Looked:
    """Which latent frames look at which: all heads at once, or the matrix of one layer or head."""
    data = made.run["frame->frame"]
    if step is not None:
        data = _at(data, step=[step])
    if layer is None and head is None:
        figure = plots.head_atlas(data)
    else:
        layers, chosen = (None if one is None else [one] for one in (layer, head))
        figure = plots.frame_matrix(data, layers, chosen)
    return figure, f"{_calls({'step': step, 'layer': layer, 'head': head})}. {figure.alt}"


def modulation(made: Generation, part: str = "gate", step: int | None = None, layer=None) -> Looked:
    """Shift, scale or gate of expert AdaLN over layers and steps, with a ring at the step and the layer looked at."""
    figure = plots.adaln_gates(made.run, part)
    if step is None and layer is None:
        return figure, figure.alt
    said = []
    times = sorted(made.run["trajectory"].train_timestep.values.tolist(), reverse=True)
    for axes, (norm, stream) in zip(
        figure.axes, [(norm, stream) for norm in NORMS for stream in ("video", "text")], strict=False
    ):
        data = made.run[f"adaln{norm}.{part}.{stream}"].isel(branch=0, drop=True)
        here = np.abs(_at(data, step=step, layer=layer)).mean()
        said.append(f"{NORMS[norm]} of {stream} {float(here):.2g}")
        if step is not None:
            at = times.index(int(_at(data, step=step).train_timestep))
            axes.axvline(at, color="w", linewidth=3), axes.axvline(at, color="k", linewidth=1)
        if layer is not None:
            axes.axhline(layer, color="w", linewidth=3), axes.axhline(layer, color="k", linewidth=1)
    return figure, f"{_calls({'step': step, 'layer': layer})}, mean |{part}|: {', '.join(said)}."


def compared(made: Generation, pinned: Generation, steps: bool = False) -> Looked:
    """A pinned run above this one, and what is not the same: in the frames, or in x0 at every step."""
    labels = ("pinned", "this run")
    if steps:
        colours = fit_preview(made.run["x0"].values[-1], made.frames)
        figure = plots.run_difference(pinned.run, made.run, labels, colours)
    else:
        figure = plots.difference_strip(pinned.frames, made.frames, labels)
    seen = [told(read_video(one.frames)) for one in (pinned, made)]
    readout = f"{changes(pinned, made)} The judge sees {seen[0]} in the pinned run; "
    return figure, readout + ("the same in this one." if seen[0] == seen[1] else f"in this one {seen[1]}.")


def changes(one: Generation, other: Generation) -> str:
    """Which settings differ, in a sentence."""
    a, b = vars(one.settings), vars(other.settings)
    found = [f"{name} {a[name]!r} became {b[name]!r}" for name in a if a[name] != b[name]]
    return f"Changed: {'; '.join(found)}." if found else "No setting was changed."


def _at(data, **where):
    """The chosen step, layer or head; PlotError if it was not recorded."""
    for axis, label in where.items():
        if label is None:
            continue
        known = data[axis].values.tolist()
        if missing := [one for one in (label if isinstance(label, list) else [label]) if one not in known]:
            raise PlotError(f"{axis} {missing[0]} was not recorded; there are {', '.join(map(str, known))}")
        data = data.sel({axis: label})
    return data


def _calls(where: dict) -> str:
    said = [f"all {axis}s" if label is None else f"{axis} {label}" for axis, label in where.items()]
    return "In " + ", ".join(said)
