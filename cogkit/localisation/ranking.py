"""Which recipe is best: chosen on the even clips alone and scored on the odd ones, so that its number is not a lucky
draw of the many that were tried.
"""

from collections.abc import Callable

import numpy as np

from cogkit.localisation.scoring import MEASURES, candidates
from cogkit.recording.recipes import Recipe

HALF = list(MEASURES).index("iou at half")


def best_recipe(rows: list[dict], relation: str | None = None, by: Callable | None = None) -> Recipe:
    """Of all candidates (of one relation) the one that has the highest worth, or whatever `by` says, on the even
    clips."""
    known = {str(recipe): recipe for recipe in candidates() if relation in (None, recipe.relation)}
    even = [row for row in rows if not odd(row)] or rows
    return known[max(known, key=lambda name: (by or worth)(even, name))]


def worth(rows: list[dict], recipe: str) -> float:
    """AUC, by which a map ranks tokens, plus IoU at half of the largest value, by which its picture shows the thing."""
    single = [of_kind(rows, "generated"), of_kind(rows, "noised")]
    half = [np.mean([row["shape"][recipe][HALF] for row in some]) for some in single if some]
    return mean_auc(rows, recipe) + float(np.mean(half))


def mean_auc(rows: list[dict], recipe: str) -> float:
    """For shape words; generated clips, noised renderings and two objects have the same say."""
    kinds = [of_kind(rows, "generated"), of_kind(rows, "noised"), of_pairs(rows)]
    return float(np.mean([np.mean([shape_auc(row, recipe) for row in some]) for some in kinds if some]))


def of_kind(rows: list[dict], kind: str) -> list[dict]:
    return [row for row in rows if row["kind"] == kind and "shape" in row]


def of_pairs(rows: list[dict]) -> list[dict]:
    return [row for row in rows if row["kind"] == "noised, two objects"]


def shape_auc(row: dict, recipe: str) -> float:
    """For the shape word; with two objects the mean over both."""
    return row["auc"][recipe] if "auc" in row else row["shape"][recipe][0]


def odd(row: dict) -> bool:
    return row["clip"] % 2 == 1
