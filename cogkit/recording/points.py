"""The hook points: every place of the model that has a name, and patterns that choose among them.

A full name is `latents`, `temb`, `vae.decoder` or `blocks.3.attn.z`; a kind is the name without its block (`attn.z`).
"""

from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import NamedTuple

STREAMS = ("video", "text")
SAMPLER = ("latents", "model_output", "x0")
BEFORE, AFTER = ("prompt_embeds", "temb", "embed.text", "embed.video"), ("final.norm", "final.proj")
GLOBAL = (*BEFORE, *AFTER)
BLOCK = (
    *(f"resid_pre.{stream}" for stream in STREAMS),
    *(f"adaln1.{part}.{stream}" for stream in STREAMS for part in ("shift", "scale", "gate")),
    *(f"attn.{part}" for part in "qkvz"),  # after qk-norm and RoPE; z is what to_out gets
    *(f"attn_out.{stream}" for stream in STREAMS),  # before the gate
    *(f"attn_out_gated.{stream}" for stream in STREAMS),
    *(f"resid_mid.{stream}" for stream in STREAMS),
    *(f"adaln2.{part}.{stream}" for stream in STREAMS for part in ("shift", "scale", "gate")),
    *(f"mlp_out.{stream}" for stream in STREAMS),
    *(f"mlp_out_gated.{stream}" for stream in STREAMS),
    *(f"resid_post.{stream}" for stream in STREAMS),
)
VAE = ("vae.encoder", "vae.decoder")  # large, and not of the denoiser: "*" does not mean them, "vae.*" does
READ_ONLY = ("x0", *VAE)  # x0 follows from latents and model_output


class UnknownPoint(LookupError):
    """A hook point, layer or head that the model does not have."""


class Point(NamedTuple):
    kind: str
    layer: int | None

    def __str__(self) -> str:
        return self.kind if self.layer is None else f"blocks.{self.layer}.{self.kind}"


def all_points(layers: int) -> list[Point]:
    """Every hook point of a model of so many blocks, in the order in which data passes them."""
    blocks = [Point(kind, layer) for layer in range(layers) for kind in BLOCK]
    ends = [[Point(kind, None) for kind in kinds] for kinds in (BEFORE, AFTER, SAMPLER)]
    return [*ends[0], *blocks, *ends[1], *ends[2]]


def match_points(patterns: tuple[str, ...], layers: int) -> list[Point]:
    """The points that any of the shell-style patterns matches; diffusers' `transformer_blocks.` stands for `blocks.`.

    Raises UnknownPoint, with near matches, for a pattern that matches none.
    """
    points = [*all_points(layers), *(Point(kind, None) for kind in VAE)]
    names = {str(point): point for point in points}
    found: dict[str, Point] = {}
    for pattern in patterns:
        wanted = pattern.replace("transformer_blocks.", "blocks.")
        hits = [name for name in names if fnmatchcase(name, wanted) and (name not in VAE or wanted[:4] == "vae.")]
        if not hits:
            near = get_close_matches(wanted, names, n=3, cutoff=0.4) or list(names)[:3]
            raise UnknownPoint(f"no hook point matches {pattern!r}; nearest: {', '.join(near)}")
        found |= {name: names[name] for name in hits}
    return [point for point in points if str(point) in found]


def choose(what: str, chosen, count: int) -> list[int]:
    """ "all", a number (negative from the end), a range, a slice or a list -> indices below `count`, in order.

    Raises UnknownPoint when one is out of range or none is left.
    """
    if isinstance(chosen, str):
        if chosen != "all":
            raise UnknownPoint(f"{what}={chosen!r} is no choice; give 'all', a number, a list, a range or a slice")
        return list(range(count))
    if isinstance(chosen, slice):
        wanted = list(range(count)[chosen])
    else:
        wanted = [chosen] if isinstance(chosen, int) else list(chosen)
    for index in wanted:
        if not -count <= index < count:
            raise UnknownPoint(f"{what}={index} is out of range; there are {count}: 0 to {count - 1}")
    if not wanted:
        raise UnknownPoint(f"{what}={chosen!r} chooses none of {count}")
    return sorted({index % count for index in wanted})
