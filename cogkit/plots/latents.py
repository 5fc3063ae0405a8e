"""Latents as pictures: channel by channel, their three strongest directions as colours, and a linear preview."""

from collections.abc import Callable

import numpy as np
import xarray as xr
from jaxtyping import Float

from cogkit.plots.figure import SIGNED, Picture, PlotError, describe, picture
from cogkit.plots.principal import fit_principal
from cogkit.plots.strips import Clip, Row, as_clip, even, middle, span_name, spans, strips
from cogkit.plots.tables import percent, table

Values = Float[np.ndarray, "t c h w"]


@picture
def latent_channels(latents, frame: int = -1) -> Picture:
    """One latent frame, one picture a channel, in one colour scale: blue below zero, red above.

    `latents`: (latent_frame, channel, y, x), scaled as the sampler holds them: an array, or one step of run["latents"].
    """
    values = as_latents(latents)
    if not -len(values) <= frame < len(values):
        raise PlotError(f"frame={frame} is out of range; there are {len(values)} latent frames")
    spread, shown = values.std((0, 2, 3)), values[frame]
    count, top = shown.shape[0], float(np.quantile(np.abs(shown), 0.99))
    names = [f"{k}: {spread[k]:.2f}" for k in range(count)]
    rows = [
        Row(
            "channel:\nsd" if not first else "",
            list(shown[first : first + 8]),
            SIGNED,
            -top,
            top,
            names[first : first + 8],
        )
        for first in range(0, count, 8)
    ]
    figure, grid = strips(rows)
    figure.colorbar(grid[0].images[0], ax=grid, label="latent value", panchor=False, shrink=0.9, aspect=15)
    high, low = int(spread.argmax()), int(spread.argmin())
    figure.suptitle(f"Channel {high} varies {spread[high] / max(spread[low], 1e-9):.2g} times as much as channel {low}")
    alt = (
        f"The {count} channels of latent frame {frame % len(values)} of {len(values)}. Channel {high} varies most "
        f"(standard deviation {spread[high]:.2g}), channel {low} least ({spread[low]:.2g})."
    )
    rows = [
        [k, float(values[:, k].mean()), float(spread[k]), float(values[:, k].min()), float(values[:, k].max())]
        for k in range(count)
    ]
    return describe(figure, alt, table(["channel", "mean", "sd", "lowest", "highest"], rows))


@picture
def latent_pca(latents, over=None, columns: int = 7) -> Picture:
    """The three directions in which the latents vary most, as red, green and blue; below the clip, if it is given."""
    values = as_latents(latents)
    principal = fit_principal(values)
    shares = principal.shares[:3]
    alt = (
        f"Latents of {len(values)} frames as colours: red, green and blue are the three strongest of {values.shape[1]} "
        f"directions, with {', '.join(percent(share) for share in shares)} of the variance."
    )
    rows = [[k, float(share), float(principal.shares[: k + 1].sum())] for k, share in enumerate(principal.shares[:8])]
    figure = _strip(values, over, columns, {"latents,\n3 directions": principal(values)})
    figure.suptitle(f"3 of {values.shape[1]} directions carry {percent(shares.sum())} of what the latents vary")
    return describe(figure, alt, table(["direction", "share of variance", "together"], rows))


@picture
def latent_preview(latents, preview: Callable[[Values], Clip], over, columns: int = 7) -> Picture:
    """A linear preview (cogkit.fit_preview) below the clip that it stands in for, and how close it comes.

    The PSNR is against the clip at the preview's own resolution (the mean over each block) and at the clip's.
    """
    values, clip = as_latents(latents), as_clip(over, "over")
    colours, parts = preview(values), spans(len(clip), len(values))
    (t, h, w, _), (_, height, width, _) = colours.shape, clip.shape
    whole = np.stack([clip[part.start : part.stop].mean(0) for part in parts])
    blocks = whole.reshape(t, h, height // h, w, width // w, 3).mean((2, 4))
    coarse = [_psnr(a, b) for a, b in zip(colours, blocks, strict=True)]
    fine = [
        _psnr(
            np.broadcast_to(c.repeat(height // h, 0).repeat(width // w, 1), (len(p), height, width, 3)),
            clip[p.start : p.stop],
        )
        for c, p in zip(colours, parts, strict=True)
    ]
    figure = _strip(values, clip, columns, {"linear\npreview": colours})
    figure.suptitle(
        f"3 x {values.shape[1] + 1} numbers decode the colours to {np.mean(coarse):.1f} dB, but no edges: "
        f"{np.mean(fine):.1f} dB against all pixels"
    )
    alt = (
        f"A clip and its linear preview, {h}x{w} pixels a latent frame. PSNR {np.mean(coarse):.1f} dB against the clip "
        f"at that resolution, {np.mean(fine):.1f} dB against all of its pixels."
    )
    rows = [[span_name(part), float(a), float(b)] for part, a, b in zip(parts, coarse, fine, strict=True)]
    return describe(figure, alt, table(["frames", "dB, blocks", "dB, pixels"], rows))


def as_latents(latents) -> Values:
    """Latents of one clip as (t, c, h, w): tensors, arrays, or a DataArray that still has a step is refused."""
    if isinstance(latents, xr.DataArray) and {"latent_frame", "channel"} <= set(latents.dims):
        extra = [axis for axis in latents.dims if axis not in ("latent_frame", "channel", "y", "x")]
        if extra:
            raise PlotError(
                f"latents still have the axis {extra[0]!r}; choose one, such as run['x0'].isel({extra[0]}=-1)"
            )
        latents = latents.transpose("latent_frame", "channel", "y", "x")
    found = np.asarray(latents, np.float32)
    if found.ndim != 4:
        raise PlotError(f"latents have shape {found.shape}; one clip's are (latent_frame, channel, y, x)")
    return found


def _strip(values: Values, over, columns: int, pictures: dict[str, Clip]) -> Picture:
    shown = even(len(values), columns)
    rows = [Row(label, [colours[k] for k in shown]) for label, colours in pictures.items()]
    titles = [f"latent frame {k}" for k in shown]
    if over is not None:
        clip = as_clip(over, "over")
        parts = spans(len(clip), len(values))
        rows = [Row("the clip", [clip[middle(parts[k])] for k in shown]), *rows]
        titles = [span_name(parts[k]) for k in shown]
    rows[0] = rows[0]._replace(titles=titles)
    return strips(rows)[0]


def _psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(((one.astype(float) - other) ** 2).mean(), 1e-9)))
