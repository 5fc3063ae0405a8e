import json

import numpy as np
import pytest
import xarray as xr

from cogkit.interventions.effects import EffectError, Effects, holm, interval, read_effects, sign_flip


def row(name, seed, value):
    return json.dumps({"intervention": name, "seed": seed, "metrics": {"m": value}, "what": "", "settings": ""}) + "\n"


def test_an_effect_is_the_mean_of_differences_to_the_plain_run_of_the_same_seed(tmp_path):
    log = tmp_path / "log.jsonl"
    plain, edited = [1.0, 5.0, 9.0, 2.0], [2.0, 7.0, 12.0, 4.0]
    log.write_text("".join(row("plain", s, plain[s]) + row("cut", s, edited[s]) for s in range(4)))
    found = read_effects(log).table().sel(intervention="cut", metric="m")
    assert found.effect == 2.0 and found.plain == 4.25 and found.edited == 6.25 and found.seeds == 4
    assert 1 < found.low < 2 < found.high < 3  # although the seeds themselves differ by far more
    assert "| cut | m | 4.25 | 6.25 | +2 |" in str(read_effects(log))


def test_one_seed_or_two_are_no_effect(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text(row("plain", 0, 1.0) + row("cut", 0, 2.0))
    with pytest.raises(EffectError, match=r"1 seed\(s\) are an anecdote, not an effect; run 3 at least"):
        read_effects(log)
    log.write_text("".join(row("plain", s, 1.0) for s in range(3)) + row("cut", 0, 2.0) + row("cut", 1, 2.0))
    effects = read_effects(log)
    assert np.isnan(effects.table().effect).all() and "too few pairs" in str(effects)


def test_without_a_plain_run_there_is_nothing_to_compare_with():
    values = xr.DataArray(np.ones((1, 1, 3)), {"intervention": ["cut"], "metric": ["m"], "seed": [0, 1, 2]})
    with pytest.raises(EffectError, match="no 'plain' run"):
        Effects(values)


def test_what_a_kill_cut_off_is_removed_and_another_file_is_refused(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text("".join(row("plain", s, 1.0) + row("cut", s, 2.0) for s in range(3)) + '{"interv')
    assert read_effects(log).table().effect.item() == 1.0
    assert log.read_text().endswith("\n")
    log.write_text("a,b,c\n")
    with pytest.raises(EffectError, match="is not the log of a sweep"):
        read_effects(log)
    assert log.read_text() == "a,b,c\n"


@pytest.mark.parametrize(("n", "least"), [(6, 0.84), (30, 0.91)])
def test_the_interval_holds_the_truth_nearly_as_often_as_it_says(n, least):
    draw = np.random.default_rng(1)
    hits = 0
    for _ in range(200):
        low, high = interval(draw.exponential(size=n) - 1 + 0.5 if n > 6 else draw.normal(0.5, size=n), 0.95)
        hits += low <= 0.5 <= high
    assert least <= hits / 200 <= 0.99


def test_the_sign_flip_test_counts_signs():
    assert sign_flip(np.array([1.0, 2.0, 3.0])) == 2 / 8  # only +++ and --- are as far out
    assert sign_flip(np.array([1.0, 2.0, -0.5])) == 4 / 8
    assert sign_flip(np.zeros(4)) == 1.0
    assert sign_flip(np.full(20, 0.1)) < 0.001  # too many signs to try all
    assert sign_flip(np.tile([1.0, -1.0], 10)) > 0.9


def test_trying_more_interventions_raises_the_bar():
    adjusted = holm(np.array([0.01, np.nan, 0.04, 0.03]))
    np.testing.assert_allclose(adjusted, [0.03, np.nan, 0.06, 0.06])
    assert holm(np.array([0.9, 0.8])).max() == 1.0
