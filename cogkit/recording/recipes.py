"""Recipes: how recorded attention becomes one map of a word. The first of PREFERRED is what `run.word("circle")` draws.

Needs no torch. `docs/localisation.md` measures every recipe against the objects' true regions.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

RELATION = {  # scale: what has to be recorded for it
    "mass": "video->text",  # probability on the word, summed over its pieces
    "share": "video->text",  # mass over the mass on all words of the prompt
    "lift": "video->text",  # mass over that of uniform attention, per piece
    "daam": "video->text",  # of each call the mass over that on all text slots, as in cross-attention; then the mean
    "reads": "text->video",  # lift of what the word itself attends to
    "concepts": "concepts",  # softmax over the concepts of <concept's output, video's output>, call by call
    "concepts qk": "concepts",  # the same of <concept's query, video's key>
}
TEXT = ("<prompt>", "<eos>", "<pad>")
CALLS = ("step", "layer")
Window = tuple[float | int, float | int]  # from and to, both within


class UnknownRecipe(LookupError):
    """A recipe that there is not, or that the recording cannot answer."""


@dataclass(frozen=True)
class Recipe:
    """A scale, and whose calls it averages: layers by `depth` (0 to 1), steps by `noise` (train timestep / 1000).

    Shares, not numbers, because a model has 6 layers or 42 and a run 20 steps or 50. A recording that has nothing in
    the window is averaged whole; the map's attributes say which layers and steps it is made of.
    """

    scale: str
    depth: Window = (0.0, 1.0)
    noise: Window = (0.0, 1.0)

    def __post_init__(self):
        if self.scale not in RELATION:
            raise UnknownRecipe(f"scale {self.scale!r} is unknown; there are {', '.join(map(repr, RELATION))}")
        for name, (low, high) in (("depth", self.depth), ("noise", self.noise)):
            if not 0 <= low <= high <= 1:
                raise UnknownRecipe(f"{name}={low, high} is no window; give (from, to) with 0 <= from <= to <= 1")

    @property
    def relation(self) -> str:
        return RELATION[self.scale]

    def __str__(self) -> str:
        parts = [self.scale]
        for name, (low, high), whole in (("depth", self.depth, "layers"), ("noise", self.noise, "steps")):
            parts.append(f"all {whole}" if (low, high) == (0, 1) else f"{name} {low:.2g} to {high:.2g}")
        return ", ".join(parts)


CLEAN = (0.0, 0.33)
PREFERRED = (  # the first that a recording can answer; docs/localisation.md compares the kinds
    Recipe("concepts", (0.0, 0.33), CLEAN),
    Recipe("reads", noise=CLEAN),
    Recipe("mass", (0.0, 0.67), CLEAN),
)


def find_recipe(show: Recipe | str | None, recorded: Collection[str]) -> Recipe:
    """What the `show` of `run.word` means: a recipe, a scale over all calls, or None for the preferred one.

    `recorded` are relations. Raises UnknownRecipe if there is no such scale, or none of them to make its map of.
    """
    if show is None:
        found = next((recipe for recipe in PREFERRED if recipe.relation in recorded), None)
        if found is None:
            kinds = ", ".join(dict.fromkeys(RELATION.values()))
            raise UnknownRecipe(f"no map of words was recorded; give record() one of {kinds}")
        return found
    recipe = show if isinstance(show, Recipe) else Recipe(show)
    fitting = {recipe.relation} | ({"text->video"} if recipe.scale in ("mass", "lift") else set())
    if not fitting & set(recorded):
        raise UnknownRecipe(f"{recipe.scale!r} is made of {recipe.relation!r}; here are {', '.join(sorted(recorded))}")
    return recipe


def recorded_relation(dataset: xr.Dataset) -> str | None:
    return next((array.attrs["relation"] for array in dataset.values() if "relation" in array.attrs), None)


def draw(recipe: Recipe, dataset: xr.Dataset, word: str, pieces: xr.DataArray, notes: Mapping) -> xr.DataArray:
    """The map of `word` over (sample,) frame, y, x. `dataset` and `pieces` are of one branch."""
    steps, layers = window(recipe, dataset, notes.get("layers"))
    calls = dataset.isel(step=steps, layer=layers)
    found = per_call(recipe.scale, calls, word, pieces, notes["tokens"])
    if isinstance(found, tuple):  # a ratio of means, not a mean of ratios
        above, below = (_mean(part, (*CALLS, "head")) for part in found)
        found = above / below
    else:
        found = _mean(found, (*CALLS, "head"))
    steps, layers = calls.step.values.tolist(), calls.layer.values.tolist()
    return found.drop_attrs().assign_attrs(recipe=str(recipe), steps=steps, layers=layers).rename(word)


def per_call(scale: str, calls: xr.Dataset, word: str, pieces: xr.DataArray, tokens: int):
    """The map of every call, over step, layer, (head,) frame, y, x; for "share" a pair, whose means are divided."""
    if scale.startswith("concepts"):
        scores = calls["qk" if scale.endswith("qk") else "out"]
        scores = _mean(scores.astype("float64"), ("head",))
        scores = np.exp(scores - scores.max("word"))
        return scores.sel(word=word, drop=True) / scores.sum("word")
    lift = calls["lift"].astype("float32")
    if scale in ("lift", "reads"):
        return lift.sel(word=word, drop=True)
    mass = lift * pieces / tokens
    own = mass.sel(word=word, drop=True)
    if scale == "mass":
        return own
    if scale == "share":
        return own, mass.sel(word="<prompt>", drop=True)
    return _mean(own, ("head",)) / _mean(mass.sel(word=list(TEXT)).sum("word"), ("head",))


def window(recipe: Recipe, dataset: xr.Dataset, layers: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Which recorded steps and layers the recipe looks at (booleans); all of them, where it would look at none."""
    layers = layers or int(dataset.layer.max()) + 1
    noise, depth = dataset.train_timestep.values / 1000, (dataset.layer.values + 0.5) / layers
    found = []
    for place, (low, high) in ((noise, recipe.noise), (depth, recipe.depth)):
        inside = (place >= low) & (place <= high)
        found.append(inside if inside.any() else np.ones_like(inside))
    return found[0], found[1]


def _mean(array: xr.DataArray, axes: tuple[str, ...]) -> xr.DataArray:
    """Over those of the axes that there are; what was never computed is NaN and does not count."""
    return array.mean([axis for axis in axes if axis in array.dims])
