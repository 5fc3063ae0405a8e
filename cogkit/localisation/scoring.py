"""One recorded run against one region: every recipe, every window of layers and steps, every single head."""

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float

from cogkit.localisation.measures import auc, iou, pointing
from cogkit.recording.recipes import PREFERRED, RELATION, Recipe, per_call, window
from cogkit.recording.runs import Run

SCALES = tuple(RELATION)
THIRDS = [(0.0, 1.0), (0.0, 0.33), (0.33, 0.67), (0.67, 1.0), (0.0, 0.67), (0.33, 1.0)]
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
    """What `run.word` draws, for many recipes: every scale's calls are computed once."""
    calls, found = {}, []
    for recipe in recipes:
        if recipe.scale not in calls:
            dataset, pieces = of_branch(run, recipe.relation)
            parts = per_call(recipe.scale, dataset, word, pieces, run.notes["tokens"])
            parts = parts if isinstance(parts, tuple) else (parts,)
            parts = [part.mean("head") if "head" in part.dims else part for part in parts]
            calls[recipe.scale] = dataset, [part.transpose("step", "layer", ...).values for part in parts]
        dataset, parts = calls[recipe.scale]
        steps, layers = window(recipe, dataset, run.notes["layers"])
        above, *below = (part[steps][:, layers].mean((0, 1)) for part in parts)
        found.append(above / below[0] if below else above)
    return np.stack(found)


def scores(maps: Float[np.ndarray, "recipe t y x"], region: Region, measures=MEASURES) -> list[list[float]]:
    """For each map its measures, rounded for the page."""
    columns = [measure(maps, region) for measure in measures.values()]
    return np.round(np.stack(columns, -1), 4).tolist()


def single_calls(run: Run, word: str, scale: str, region: Region) -> list:
    """The AUC of every call alone: by step, layer and head."""
    dataset, pieces = of_branch(run, RELATION[scale])
    dataset = dataset.rename(head="one head")  # so that nothing takes their mean
    found = per_call(scale, dataset, word, pieces, run.notes["tokens"])
    found = found[0] / found[1] if isinstance(found, tuple) else found
    return np.round(auc(found.transpose("step", "layer", "one head", ...).values, region), 3).tolist()


def of_branch(run: Run, relation: str) -> tuple[xr.Dataset, xr.DataArray]:
    """A recorded relation and its words' pieces, of the branch that follows the prompt."""
    return run[relation].sel(branch="cond", drop=True), run.pieces(relation).sel(branch="cond", drop=True)
