"""Activations at hook points, and what the sampler holds: the value itself, its axes named."""

from collections.abc import Iterator

from cogkit.recording.layout import Anatomy, Layout
from cogkit.recording.points import SAMPLER, VAE, choose, match_points
from cogkit.recording.slabs import Slab
from cogkit.recording.vae_taps import VaeRecorder


class ActRecorder:
    """Records one kind of hook point in some layers (None: the point is not in a block)."""

    work = scratch = 0

    def __init__(
        self, kind, layers, steps, branches, dtype, layout: Layout, anatomy: Anatomy, group: str | None = None
    ):
        self.kind, self.layers, self.layout = kind, layers, layout
        self.steps, self.rows = set(steps), layout.batch_rows(branches)
        self.kinds, self.branches = frozenset({kind}), branches
        axes, coords = {"step": len(steps)}, {"step": list(steps)}
        if kind in SAMPLER:
            axes |= {"sample": layout.samples}
            axes |= dict(zip(("latent_frame", "channel", "y", "x"), layout.latents, strict=True))
        else:
            axes |= {"branch": len(branches), "sample": layout.samples}
            coords["branch"] = list(branches)
            if layers is not None:
                axes["layer"], coords["layer"] = len(layers), list(layers)
            axes |= value_axes(kind, layout, anatomy)
        slab = Slab(group or kind, kind if group else "value", axes, coords, dtype, {"hook_point": kind})
        self.slabs = [slab]

    def wants(self, kind: str, layer: int | None, step: int) -> bool:
        return kind == self.kind and step in self.steps and (self.layers is None or layer in self.layers)

    def read(self, kind: str, layer: int | None, value, step: int) -> Iterator:
        if kind in SAMPLER:
            yield self.slabs[0], value
        else:
            chosen = value if len(self.rows) == value.shape[0] else value[self.rows]
            yield (
                self.slabs[0],
                chosen.reshape(len(self.branches), self.layout.samples, *self.slabs[0].shape[-_rest(self) :]),
            )


def _rest(recorder: ActRecorder) -> int:
    return len([axis for axis in recorder.slabs[0].axes if axis not in ("step", "branch", "sample", "layer")])


def value_axes(kind: str, layout: Layout, anatomy: Anatomy) -> dict[str, int]:
    """The axes of one batch row of a hook point's value."""
    if kind == "temb":
        return {"channel": anatomy.time}
    if kind == "prompt_embeds":
        return {"token": layout.text, "channel": anatomy.text}
    if kind.startswith("adaln"):
        return {"channel": anatomy.width}
    if kind.startswith("attn.") and kind[-1] in "qkvz":
        return {"head": anatomy.heads, "token": layout.tokens, "channel": anatomy.head_width}
    if kind.endswith(".text"):
        return {"token": layout.text, "channel": anatomy.width}
    width = anatomy.out if kind == "final.proj" else anatomy.width
    return {"frame": layout.frames, "y": layout.height, "x": layout.width, "channel": width}


def bind_acts(selector, layout: Layout, anatomy: Anatomy) -> list[ActRecorder | VaeRecorder]:
    """One recorder a kind: its layers are those that the patterns chose. The VAE has no steps and no branches."""
    by_kind: dict[str, list] = {}
    for kind, layer in match_points(selector.patterns, anatomy.layers):
        by_kind.setdefault(kind, []).append(layer)
    steps = choose("steps", selector.steps, layout.steps)
    branches = chosen_branches(selector.branch, layout)
    vae = [VaeRecorder(kind, selector.dtype, layout, anatomy) for kind in VAE if by_kind.pop(kind, None)]
    return vae + [
        ActRecorder(kind, None if layers == [None] else layers, steps, branches, selector.dtype, layout, anatomy)
        for kind, layers in by_kind.items()
    ]


def chosen_branches(branch: str, layout: Layout) -> tuple[str, ...]:
    """Raises BranchError when the run has no such branch."""
    if branch == "both":
        return layout.branches
    if branch not in layout.branches:
        why = "without guidance there is only 'cond'" if branch == "uncond" else "give 'cond', 'uncond' or 'both'"
        raise BranchError(f"branch={branch!r} is not in this run: {why}")
    return (branch,)


class BranchError(ValueError):
    """A guidance branch that the run does not have."""
