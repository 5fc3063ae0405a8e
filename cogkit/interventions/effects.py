"""What an intervention does, over seeds: its difference to the unedited run, with a confidence interval."""

from pathlib import Path

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy import stats

from cogkit.jsonl import read_lines

PLAIN = "plain"  # the unedited run
LEAST_SEEDS = 3  # fewer are anecdotes
RESAMPLES = 10_000
FLIPS = 2**12  # up to so many patterns of signs are tried all, beyond that as many are drawn


class EffectError(ValueError):
    """Too few runs to say anything, or a log that is not one."""


class Effects:
    """`values` holds every measurement, over intervention ("plain" is the unedited one), metric and seed.

    `table()` sums them up; printing shows it.
    """

    def __init__(self, values: xr.DataArray):
        seeds = values.sizes["seed"]
        if seeds < LEAST_SEEDS:
            raise EffectError(f"{seeds} seed(s) are an anecdote, not an effect; run {LEAST_SEEDS} at least, better 20")
        if PLAIN not in values.intervention:
            raise EffectError(f"there is no {PLAIN!r} run to compare with")
        self.values = values

    def table(self, level: float = 0.95) -> xr.Dataset:
        """Over intervention and metric: `plain` and `edited` means, `effect` = edited - plain, `low` and `high`, `p`.

        Differences are paired by seed. The interval is the bootstrap's percentile interval, widened by sqrt(n/(n-1))
        because it is too narrow for small n (Hesterberg 2015); below ten seeds it still is, a little. p is that of a
        sign-flip test, `p_holm` the same for as many interventions as were tried (Holm 1979). `seeds` says how many
        pairs there were; where fewer than three, all is NaN.
        """
        plain = self.values.sel(intervention=PLAIN, drop=True)
        edited = self.values.drop_sel(intervention=PLAIN)
        names = ("plain", "edited", "effect", "low", "high", "p", "seeds")
        cells = np.full((len(names), edited.sizes["intervention"], edited.sizes["metric"]), np.nan)
        for i, j in np.ndindex(cells.shape[1:]):
            pair = np.stack([plain.values[j], edited.values[i, j]])
            pair = pair[:, ~np.isnan(pair).any(0)]
            cells[-1, i, j] = pair.shape[1]
            if pair.shape[1] >= LEAST_SEEDS:
                difference = pair[1] - pair[0]
                spread = interval(difference, level)
                cells[:-1, i, j] = *pair.mean(1), difference.mean(), *spread, sign_flip(difference)
        axes = ("intervention", "metric")
        labels = {axis: edited[axis].values for axis in axes}
        found = xr.Dataset({name: (axes, cell) for name, cell in zip(names, cells, strict=True)}, labels)
        found["p_holm"] = axes, np.stack([holm(column) for column in found.p.values.T], -1)
        found["seeds"] = found.seeds.astype(int)
        return found.assign_attrs(level=level)

    def __str__(self) -> str:
        found = self.table()
        rows = [f"| intervention | metric | plain | edited | effect | {found.level:.0%} interval | p (Holm) | seeds |"]
        rows.append("| --- | --- | --- | --- | --- | --- | --- | --- |")
        for name in found.intervention.values:
            for metric in found.metric.values:
                v = {key: array.item() for key, array in found.sel(intervention=name, metric=metric).items()}
                if np.isnan(v["effect"]):
                    rows.append(f"| {name} | {metric} | | | too few pairs | | | {v['seeds']} |")
                    continue
                rows.append(
                    f"| {name} | {metric} | {v['plain']:.3g} | {v['edited']:.3g} | {v['effect']:+.3g} | "
                    f"{v['low']:+.3g} to {v['high']:+.3g} | {v['p_holm']:.2g} | {v['seeds']} |"
                )
        return "\n".join(rows)

    _repr_markdown_ = __repr__ = __str__


def read_effects(log: str | Path) -> Effects:
    """The effects in the log of a sweep, finished or not. Raises EffectError if it holds too few seeds."""
    rows = read_rows(Path(log))
    names = list(dict.fromkeys([PLAIN, *(row["intervention"] for row in rows)]))
    metrics = list(dict.fromkeys(metric for row in rows for metric in row["metrics"]))
    seeds = sorted({row["seed"] for row in rows})
    values = np.full((len(names), len(metrics), len(seeds)), np.nan)
    for row in rows:
        for metric, value in row["metrics"].items():
            values[names.index(row["intervention"]), metrics.index(metric), seeds.index(row["seed"])] = value
    axes = {"intervention": names, "metric": metrics, "seed": seeds}
    return Effects(xr.DataArray(values, axes))


def read_rows(log: Path) -> list[dict]:
    """The rows of a log; what a kill cut off in mid-line does not count, and is removed."""
    try:
        rows = read_lines(log)
        [(row["intervention"], row["seed"], row["metrics"], row["what"], row["settings"]) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise EffectError(f"{log} is not the log of a sweep ({type(error).__name__}); give a new file") from None
    return rows


def interval(differences: Float[np.ndarray, " n"], level: float) -> tuple[float, float]:
    """Of the mean, by bootstrap with a fixed seed: the same numbers give the same interval."""
    options = {"n_resamples": RESAMPLES, "confidence_level": level, "method": "percentile", "rng": 0}
    found = stats.bootstrap((differences,), np.mean, **options).confidence_interval
    centre, wider = differences.mean(), np.sqrt(len(differences) / (len(differences) - 1))
    return float(centre + wider * (found.low - centre)), float(centre + wider * (found.high - centre))


def sign_flip(differences: Float[np.ndarray, " n"]) -> float:
    """How often would chance signs give a mean as far from zero? Exact for few pairs."""
    options = {"permutation_type": "samples", "n_resamples": FLIPS, "rng": 0}
    return float(stats.permutation_test((differences,), np.mean, **options).pvalue)


def holm(p: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """Adjusted for having tried k of them (NaN: not tried)."""
    order = np.argsort(p)  # NaN last
    factors = np.arange((~np.isnan(p)).sum(), 0, -1)
    adjusted = np.full(len(p), np.nan)
    adjusted[order[: len(factors)]] = np.minimum(1, np.maximum.accumulate(p[order[: len(factors)]] * factors))
    return adjusted
