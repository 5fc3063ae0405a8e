"""One recorded run against one region: every recipe, every window of layers and steps, every single head."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from cogkit.localisation.measures import auc, iou, pointing
from cogkit.recording.recipes import PREFERRED, RELATION, Recipe, draw, per_call
from cogkit.recording.runs import Run

SCALES = tuple(RELATION)
THIRDS = [(0.0, 1.0), (0.0, 1 / 3), (1 / 3, 2 / 3), (2 / 3, 1.0), (0.0, 2 / 3), (1 / 3, 1.0)]
MEASURES = {
    "auc": auc,
    "iou": iou,  # at its best threshold
    "iou at half": lambda maps, region: iou(maps, region, 0.5),
    "pointing": pointing,
}
Region = Bool[np.ndarray, "t y x"]


def candidates(scales=SCALES) -> list[Recipe]:
    """Each scale over all layers and steps first, then over thirds of them and their unions; and what is preferred."""
    found = [Recipe(scale, depth, noise) for scale in scales for depth in THIRDS for noise in THIRDS]
    return [*found, *(recipe for recipe in PREFERRED if recipe.scale in scales and recipe not in found)]


def maps_of(run: Run, word: str, recipes: list[Recipe]) -> Float[np.ndarray, "recipe t y x"]:
    return np.stack([found.values for found in _drawn(run, word, recipes)])


def scores(maps: Float[np.ndarray, "recipe t y x"], region: Region, measures=MEASURES) -> list[list[float]]:
    """For each map its measures, rounded for the page."""
    columns = [measure(maps, region) for measure in measures.values()]
    return np.round(np.stack(columns, -1), 4).tolist()


def single_calls(run: Run, word: str, scale: str, region: Region) -> list:
    """The AUC of every call alone: by step, layer and head."""
    dataset, pieces = _of_branch(run, RELATION[scale])
    found = per_call(scale, dataset, word, pieces, run.notes["tokens"])
    found = found[0] / found[1] if isinstance(found, tuple) else found
    return np.round(auc(found.transpose("step", "layer", "head", ...).values, region), 3).tolist()


def _drawn(run: Run, word: str, recipes: list[Recipe]) -> Iterator:
    """`run.word` for many recipes: the heads, which all of them average, are averaged once."""
    means = {}
    for recipe in recipes:
        if recipe.relation not in means:
            dataset, pieces = _of_branch(run, recipe.relation)
            arrays = [name for name in ("lift", "out", "qk") if name in dataset]
            means[recipe.relation] = dataset[arrays].astype("float32").mean("head"), pieces
        yield draw(recipe, means[recipe.relation][0], word, means[recipe.relation][1], run.notes)


def _of_branch(run: Run, relation: str):
    return (found.sel(branch="cond", drop=True) for found in (run[relation], run.pieces(relation)))
