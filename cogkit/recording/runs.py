"""A finished recording, by name: xarray datasets, in memory or lazily from a folder. Needs no torch."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import xarray as xr
import zarr

from cogkit.recording.recipes import Recipe, draw, find_recipe, recorded_relation

MARKS = ("prompt", "eos", "pad")


class RunError(LookupError):
    """A name that the recording does not have."""


class Run(Mapping):
    """run["video->text"] is a dataset; run["blocks.2.attn.z"], run["x0"] an array; run.word("circle") a map.

    Axes: step, branch, sample (if more than one), layer, head, frame, y, x, word. Step k was told train_timestep[k].
    The coordinate `measured` says which steps and layers were computed; what a cache put in their place is not.
    """

    def __init__(self, datasets: dict[str, xr.Dataset], notes: dict):
        self.datasets, self.notes = datasets, notes

    def __getitem__(self, name: str) -> xr.Dataset | xr.DataArray:
        if name in self.datasets:
            found = self.datasets[name]
            return found["value"] if "value" in found else found
        if name in self.datasets.get("trajectory", ()):
            return self.datasets["trajectory"][name]
        head, _, rest = name.removeprefix("transformer_").partition(".")
        layer, _, kind = rest.partition(".")
        if head == "blocks" and kind in self.datasets and layer.isdigit():
            found = self.datasets[kind]["value"]
            if int(layer) in found.layer:
                return found.sel(layer=int(layer))
            raise RunError(f"{kind} was recorded in layers {found.layer.values.tolist()}, not in {layer}")
        near = get_close_matches(name, self.datasets, n=3, cutoff=0.3) or list(self.datasets)
        raise RunError(f"nothing was recorded as {name!r}; nearest: {', '.join(near)}")

    def __contains__(self, name: object) -> bool:
        try:
            return self[name] is not None
        except RunError:
            return False

    def __iter__(self) -> Iterator[str]:
        return iter(self.datasets)

    def __len__(self) -> int:
        return len(self.datasets)

    def word(
        self, word: str, show: Recipe | str | None = None, relation: str | None = None, branch: str | None = None
    ) -> xr.DataArray:
        """The map of a word over frame, y, x (and sample): a mean over measured steps, layers and heads.

        `show` is a recipe: by default the first of PREFERRED (cogkit/recording/recipes.py) that the recording of this
        word can answer. Concepts find things best, maps("video->text") alone far worse. "share", "mass", "lift" and
        others are plain means over all calls. `relation` names the recording if it was given a name.
        The words "<prompt>", "<eos>" and "<pad>" are always there in "video->text".
        `branch`: "cond" if it was recorded, else "uncond".
        """
        asked = self.datasets.get(relation)
        having = {name for name, data in self.datasets.items() if "word" in data.coords and word in data.word}
        kinds = (having or set(self.datasets)) if asked is None else {recorded_relation(asked) or relation}
        recipe = find_recipe(show, kinds)
        relation = relation or recipe.relation
        found = self[relation]
        branch = branch or found.branch.values.tolist()[-1]
        words, branches = found.word.values.tolist(), found.branch.values.tolist()
        for what, value, known in (("word", word, words), ("branch", branch, branches)):
            if value not in known:
                near = get_close_matches(value, known, n=3, cutoff=0.4) or known
                raise RunError(f"{what} {value!r} was not recorded in {relation!r}; nearest: {', '.join(near)}")
        pieces = self.pieces(relation).sel(branch=branch, drop=True)
        return draw(recipe, found.sel(branch=branch, drop=True), word, pieces, self.notes)

    def mass(self, group: str, relation: str = "video->text", branch: str | None = None) -> xr.DataArray:
        """Where queries spend their attention: on "prompt", "eos", "pad" or "video" keys, over frame, y, x."""
        if group == "video":
            return 1 - sum(self.mass(mark, relation, branch) for mark in MARKS)
        if group not in MARKS:
            raise RunError(f"{group!r} is no kind of token; there are {', '.join(MARKS)}, video")
        return self.word(f"<{group}>", "mass", relation, branch)

    def pieces(self, relation: str = "video->text") -> xr.DataArray:
        """Token pieces of each word, over branch, (sample,) word: mass = lift x pieces / S."""
        array = next(array for array in self[relation].values() if "pieces" in array.attrs)
        axes = [axis for axis in ("branch", "sample", "word") if axis in array.dims]
        counts = np.array(array.attrs["pieces"]).reshape([array.sizes[axis] for axis in axes])
        return xr.DataArray(counts, dims=axes, coords={axis: array[axis] for axis in axes if axis in array.coords})


def named(arrays: dict[str, tuple], coords: dict[str, list], measured, notes: dict) -> xr.Dataset:
    """Arrays with axis labels; `arrays` is name -> (axes, values, attributes)."""
    arrays = {name: xr.Variable(*array) for name, array in arrays.items()}
    sizes = {axis: size for array in arrays.values() for axis, size in array.sizes.items()}
    labels = {axis: range(size) for axis, size in sizes.items() if axis not in ("channel", "sample")} | coords
    for name in ("train_timestep", "alpha_bar", "sigma", "guidance") if "step" in coords else ():
        values = [notes[name][step] if step < len(notes[name]) else np.nan for step in coords["step"]]
        labels[name] = ("step", np.array(values))
    if "layer" in sizes:
        seen = [[layer in measured.get(str(step), ()) for layer in coords["layer"]] for step in coords["step"]]
        labels["measured"] = (("step", "layer"), np.array(seen))  # a label, so that it goes where the values go
    found = xr.Dataset(arrays, labels)
    return found.isel(sample=0, drop=True) if found.sizes.get("sample") == 1 else found


def open_run(folder: str | Path) -> Run:
    """Open what a `sink` wrote, complete or cut short; arrays are read from the disk when they are used."""
    folder = Path(folder)
    try:
        notes = dict(zarr.open_group(folder, mode="r").attrs)
        groups = notes["groups"]
    except (OSError, KeyError, ValueError) as error:
        raise RunError(f"{folder} holds no recording: {type(error).__name__}") from None
    datasets = {}
    for group in groups:
        path = group.replace("->", "_to_")
        raw = xr.open_zarr(folder, group=path, consolidated=False, chunks=None, decode_cf=False)
        arrays = {name: (raw[name].dims, raw[name].variable._data, raw[name].attrs) for name in raw.data_vars}
        datasets[group] = named(arrays, raw.attrs["coords"], notes["measured"].get(group, {}), notes)
    return Run(datasets, notes)
