"""How well a map finds a region: AUC, IoU and the pointing game. All but one ask only for the order of its values."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata

Map = Float[np.ndarray, "*calls t y x"]
Region = Bool[np.ndarray, "_ _ _"]  # of the map's grid, which is checked below
Scores = float | Float[np.ndarray, "*calls"]


class RegionError(ValueError):
    """A region that no map could be measured against."""


def auc(maps: Map, region: Region) -> Scores:
    """How often a token inside of the region has a higher value than one outside; ties count half.

    1: every inside token is above every outside one; 0.5: the map knows nothing, such as a constant; 0: inverted.
    That is the area under the curve of hits over false alarms (Mann and Whitney's U).
    """
    values, inside = _flat(maps, region)
    count = inside.sum()
    ranks = rankdata(values, axis=-1)[..., inside].sum(-1)
    return (ranks - count * (count + 1) / 2) / (count * (inside.size - count))


def iou(maps: Map, region: Region, threshold: float | None = None) -> Scores:
    """Intersection over union of the region and the tokens at or above a threshold.

    `threshold` is a share of each map's largest value. None: the threshold that suits the map best.
    """
    values, inside = _flat(maps, region)
    if threshold is not None:
        chosen = values >= threshold * values.max(-1, keepdims=True)
        return (chosen & inside).sum(-1) / (chosen | inside).sum(-1)
    order = np.argsort(-values, axis=-1)
    ordered = np.take_along_axis(values, order, -1)
    hits = inside[order].cumsum(-1)
    found = hits / (np.arange(1, inside.size + 1) + inside.sum() - hits)
    last_of_ties = np.append(ordered[..., 1:] < ordered[..., :-1], np.ones_like(ordered[..., :1], bool), -1)
    return np.where(last_of_ties, found, 0).max(-1)


def pointing(maps: Map, region: Region) -> Scores:
    """The share of latent frames whose highest token lies in the region; frames without region do not play.

    Among several highest tokens it is the share of them inside, as if one were drawn.
    """
    _flat(maps, region)
    visible = region.any((1, 2))
    values = maps[..., visible, :, :]
    highest = values == values.max((-2, -1), keepdims=True)
    return ((highest & region[visible]).sum((-2, -1)) / highest.sum((-2, -1))).mean(-1)


def _flat(maps, region: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if maps.shape[-3:] != region.shape:
        raise RegionError(f"a map of {maps.shape[-3:]} tokens cannot be measured against a region of {region.shape}")
    if region.all() or not region.any():
        raise RegionError(f"the region has {region.sum()} of {region.size} tokens: nothing to tell apart")
    if not np.isfinite(maps).all():
        raise RegionError("the map has values that are not numbers: was every call of it measured?")
    return np.asarray(maps, np.float64).reshape(*maps.shape[:-3], region.size), region.reshape(-1)
