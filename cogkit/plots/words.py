"""Word maps over the clip: where in the video a word is read, or what it reads."""

import matplotlib
import numpy as np
import xarray as xr

from cogkit.plots.figure import COLOURS, Picture, PlotError, describe, picture
from cogkit.plots.strips import GAP, Clip, Row, as_clip, even, grown, middle, span_name, spans, strips
from cogkit.plots.tables import listed, percent, table

HEAT, OUTLINE = "inferno", COLOURS[5]  # a blue that no heat has
UNITS = {  # by the scale of the recipe that drew the map
    "share": "share of the attention on the prompt",
    "mass": "attention (probability)",
    "lift": "times uniform",
    "daam": "share of the attention on text",
    "reads": "paid by the word, times uniform",
    "concepts": "share among the concepts",
    "concepts qk": "share among the concepts",
}
TALL = 256  # pixels: a video of fewer is hard to see


@picture
def word_map(run, words, over=None, *, region=None, score=None, columns: int = 7, **recipe) -> Picture:
    """A filmstrip: the clip, and below it the map of each word, laid over the frames.

    `run`: a recorded Run that has maps of words, or one map as an array over frame, y, x (then `words` names it).
    `words`: a word or several. `over`: the clip that was generated (uint8, or what the pipeline gave); without it the
    maps stand alone. `recipe` goes to run.word(). Every row is coloured from 0 to its own maximum, which stands beside.
    `region`: where the object is, as booleans over frame, y, x, to be outlined. `score`: a function of a map and the
    region, such as cogkit.localisation.measures.auc; its values stand beside the maps, the highest in the title.
    """
    words = [words] if isinstance(words, str) else list(words)
    drawn = [_map(run, word, recipe) for word in words]
    scale = getattr(drawn[0], "attrs", {}).get("recipe", "").partition(",")[0]
    maps = [np.asarray(found, np.float32) for found in drawn]
    if (region is not None or score is not None) and np.shape(region) != maps[0].shape:
        raise PlotError(f"region has shape {np.shape(region)}; the maps have {maps[0].shape}: frame, y, x")
    values = [] if score is None else [float(score(found, region)) for found in maps]
    scored = [f"{score.__name__.upper()} {value:.2f}" for value in values]
    clip, latent = None if over is None else as_clip(over, "over"), maps[0].shape[0]
    parts = spans(len(clip), latent) if clip is not None else [range(k, k + 1) for k in range(latent)]
    shown = even(len(parts), columns)
    titles = [span_name(parts[k]) if clip is not None else f"latent frame {k}" for k in shown]
    rows = [] if clip is None else [Row("the clip", [clip[middle(parts[k])] for k in shown])]
    for word, found, beside in zip(words, maps, scored or [""] * len(maps), strict=True):
        label, top = f"{word}\nup to {found.max():.2g}\n{beside}".rstrip(), found.max() or 1
        if clip is None:
            rows.append(Row(label, [found[k] for k in shown], HEAT, 0, top))
        else:
            rows.append(Row(label, [laid_over(clip[middle(parts[k])], found[k] / top) for k in shown]))
    rows[0] = rows[0]._replace(titles=titles)
    figure, grid = strips(rows, extra=0.9)
    for axes in grid if region is not None else ():
        for k, frame in enumerate(shown):
            _outline(axes, k, np.asarray(region[frame]))
    colours = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(0, 1), HEAT)
    bar = figure.colorbar(
        colours,
        ax=grid,
        location="bottom",
        panchor=False,
        shrink=0.4 * max(1, 5 / len(shown)),
        aspect=40,
        pad=0.02,
        ticks=[0, 1],
    )
    bar.ax.set_xticklabels(["0", "maximum"], fontsize=9)
    unit = UNITS.get(scale, "attention")
    bar.set_label(unit, fontsize=9, labelpad=-8)
    hot = [_hot_tenth(found) for found in maps]
    first = int(np.argmax(values or hot))
    figure.suptitle(
        f"The map of “{words[first]}” finds the object{' best' * (len(words) > 1)}: {scored[first]}"
        if scored
        else f"A tenth of the patches holds {percent(hot[first])} of the map of “{words[first]}” (10 % would be even)"
    )
    alt = f"Word maps of {listed(words)} over {latent} latent frames, bright where they are high ({unit}). "
    alt += " ".join(_path(word, found) for word, found in zip(words[:4], maps, strict=False))
    if scored:
        alt += f" Against the object: {listed([f'{word} {each}' for word, each in zip(words, scored, strict=True)])}."
    numbers = [
        [word, k, float(found[k].max()), *_peak(found[k]), percent(_hot_tenth(found[k]))]
        for word, found in zip(words, maps, strict=True)
        for k in shown
    ]
    return describe(figure, alt, table(["word", "latent frame", "peak", "at x", "at y", "hottest tenth"], numbers))


def word_video(run, word: str, over, **recipe) -> Clip:
    """The clip and, beside it, the map of a word over it, frame by frame: for cogkit.write_clip("circle.mp4", ...)."""
    clip, found = as_clip(over, "over"), np.asarray(_map(run, word, recipe), np.float32)
    scale, top = -(-TALL // clip.shape[1]), found.max() or 1
    owner = [k for k, part in enumerate(spans(len(clip), len(found))) for _ in part]
    height, width = (side * scale for side in clip.shape[1:3])
    beside = [np.concatenate([f, laid_over(f, found[k] / top)], 1) for f, k in zip(clip, owner, strict=True)]
    return np.stack([grown(frame, height, 2 * width) for frame in beside])


def laid_over(frame: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A frame in grey under the colours of its heat (0 to 1), one square a patch."""
    grey = frame @ np.array([0.299, 0.587, 0.114]) / 255
    colours = matplotlib.colormaps[HEAT](grown(heat, *frame.shape[:2]))[..., :3]
    return ((0.35 * grey[..., None] + 0.65 * colours) * 255).round().astype(np.uint8)


def _outline(axes, column: int, inside: np.ndarray) -> None:
    """Draw the border of a region of patches on the picture of a column of `strips`."""
    height, width = (16 * side for side in inside.shape)
    x, y = ((np.arange(side) + 0.5) / width * (1 - GAP) for side in (width, height))
    axes.contour(column + x, y, grown(inside.astype(float), height, width), [0.5], colors=OUTLINE, linewidths=1.5)


def _map(run, word: str, recipe: dict) -> xr.DataArray | np.ndarray:
    found = run if isinstance(run, xr.DataArray | np.ndarray) else run.word(word, **recipe)
    if found.ndim != 3:
        axes = getattr(found, "dims", found.shape)
        raise PlotError(
            f"the map of {word!r} has axes {axes}; it needs frame, y, x: choose one of the others with .isel"
        )
    return found


def _hot_tenth(found: np.ndarray) -> float:
    """The share of the whole that the hottest tenth of the patches has: 0.1 for an even map."""
    flat = np.sort(found.ravel())[::-1]
    return float(flat[: max(1, round(flat.size / 10))].sum() / (flat.sum() or 1))


def _peak(found: np.ndarray) -> tuple[int, int]:
    y, x = np.unravel_index(found.argmax(), found.shape)
    return int(x), int(y)


def _path(word: str, found: np.ndarray) -> str:
    """In words, where the map is brightest in the first and in the last latent frame."""
    first, last = (_place(*_peak(frame), frame.shape) for frame in (found[0], found[-1]))
    moved = f"{first} throughout" if first == last else f"{first} at first, {last} at last"
    return f"“{word}” is brightest {moved}."


def _place(x: int, y: int, shape: tuple[int, int]) -> str:
    row = ("at the top", "in the middle", "at the bottom")[3 * y // shape[0]]
    return f"{row} {('left', 'centre', 'right')[3 * x // shape[1]]}"
