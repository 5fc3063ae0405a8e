import json

import numpy as np
import pytest

import cogkit
from cogkit.interventions.editor import InterventionError
from cogkit.interventions.effects import EffectError

SETTINGS = {
    "prompt": "a red circle",
    "num_frames": 5,
    "height": 32,
    "width": 32,
    "num_inference_steps": 1,
    "max_sequence_length": 16,
    "output_type": "latent",
}
EDITS = {"no red": cogkit.knock_out("red"), "two heads": [cogkit.ablate(f"blocks.{k}.attn.z", heads=0) for k in (0, 1)]}


def change(trial):
    return float((trial.frames - trial.plain).abs().max())


@pytest.fixture
def runs(pipe):
    """Seeds of the runs of the pipeline, as they come."""
    found = []
    handle = pipe.transformer.register_forward_pre_hook(lambda *_: found.append(1))
    yield found
    handle.remove()


def test_every_intervention_is_compared_with_the_plain_run_of_its_seed(pipe, tmp_path):
    effects = cogkit.sweep(pipe, EDITS | {"nothing": []}, change, range(4), tmp_path / "log.jsonl", SETTINGS)
    table = effects.table()
    assert table.effect.sel(intervention="nothing").item() == 0
    for name in EDITS:
        assert table.low.sel(intervention=name).item() > 0
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [r["intervention"] for r in rows[:4]] == ["plain", "no red", "two heads", "nothing"]
    assert {r["seed"] for r in rows} == {0, 1, 2, 3}


def test_clips_are_frames_and_metrics_can_be_many_and_prompts_follow_the_seed(pipe, tmp_path):
    prompts, seen = {0: "a red circle", 1: "a red star", 2: "the red cross"}, set()

    def metric(trial):
        assert trial.frames.dtype == np.uint8 and trial.frames.shape[1:] == (32, 32, 3)
        seen.add((trial.seed, trial.settings["prompt"]))
        return {"bright": trial.frames.mean(), "dark": trial.frames.mean() < 128}

    def calls(seed):
        return {k: v for k, v in SETTINGS.items() if k != "output_type"} | {"prompt": prompts[seed]}

    effects = cogkit.sweep(pipe, {"no red": EDITS["no red"]}, metric, prompts, tmp_path / "log.jsonl", calls)
    assert seen == set(prompts.items()) and effects.values.metric.values.tolist() == ["bright", "dark"]


def test_a_stopped_sweep_goes_on_where_it_was(pipe, tmp_path, runs):
    log, calls = tmp_path / "log.jsonl", []

    def stopped(trial):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return change(trial)

    with pytest.raises(KeyboardInterrupt):
        cogkit.sweep(pipe, EDITS, stopped, range(3), log, SETTINGS)
    assert len(log.read_text().splitlines()) == 4
    before = len(runs)
    log.write_text(log.read_text() + '{"intervention": "no r')  # and a kill in mid-line
    resumed = cogkit.sweep(pipe, EDITS, change, range(3), log, SETTINGS)
    assert len(runs) - before == 5 + 1  # what was missing, and the plain clip of the seed that had been begun
    whole = cogkit.sweep(pipe, EDITS, change, range(3), tmp_path / "other.jsonl", SETTINGS)
    assert resumed.values.equals(whole.values)
    before = len(runs)
    cogkit.sweep(pipe, EDITS, change, range(3), log, SETTINGS)
    assert len(runs) == before


def test_it_shows_progress_once_and_gives_the_pipeline_its_own_bar_back(tiny_pipe, tmp_path, capfd):
    pipe = tiny_pipe()
    pipe.set_progress_bar_config(desc="sampling")
    cogkit.sweep(pipe, {"no red": EDITS["no red"]}, change, range(3), tmp_path / "log.jsonl", SETTINGS)
    shown = capfd.readouterr().err
    assert "no red, seed 2" in shown and "6/6" in shown and "sampling" not in shown
    assert pipe._progress_bar_config == {"desc": "sampling"}
    cogkit.sweep(pipe, {"no red": EDITS["no red"]}, change, range(4), tmp_path / "log.jsonl", SETTINGS, progress=False)
    assert capfd.readouterr().err == ""


def test_one_seed_is_refused_before_anything_runs(pipe, tmp_path, runs):
    with pytest.raises(EffectError, match=r"seeds=\[3\]: that is an anecdote, not an effect; give 3 at least"):
        cogkit.sweep(pipe, EDITS, change, [3, 3, 3], tmp_path / "log.jsonl", SETTINGS)
    with pytest.raises(InterventionError, match="'plain' is the unedited run's name"):
        cogkit.sweep(pipe, {"plain": []}, change, range(3), tmp_path / "log.jsonl", SETTINGS)
    assert not runs and not list(tmp_path.iterdir())


def test_a_log_of_the_same_function_with_another_number_is_refused(pipe, tmp_path):
    def scaled(number):
        return {"scaled": cogkit.edit("temb", change=lambda x: x * number)}

    def run(edits, *more):
        return cogkit.sweep(pipe, edits, change, range(3), tmp_path / "log.jsonl", SETTINGS, progress=False)

    once = run(scaled(0.5))
    assert run(scaled(0.5)).values.equals(once.values)
    with pytest.raises(EffectError, match="has 'scaled' at seed 0 with other settings"):
        run(scaled(0.6))
    with pytest.raises(InterventionError, match=r"'any' runs a function .*; name it: edit\(..., label='...'\)"):
        run({"any": cogkit.edit("temb", change=lambda x: x * len(vars(pipe)))})


def test_a_batch_of_prompts_is_refused_since_a_seed_is_one_clip(pipe, tmp_path):
    two = SETTINGS | {"prompt": ["a red circle", "a red star"]}
    for output_type in ("latent", "pt"):
        with pytest.raises(EffectError, match="2 clips at seed 0; a sweep judges one: give one prompt"):
            cogkit.sweep(pipe, EDITS, change, range(3), tmp_path / "log.jsonl", two | {"output_type": output_type})
    assert not list(tmp_path.iterdir())


def test_a_log_of_other_settings_or_interventions_or_weights_is_refused(pipe, tiny_pipe, tmp_path):
    log = tmp_path / "log.jsonl"
    one = {"no red": EDITS["no red"]}
    cogkit.sweep(pipe, one, change, range(3), log, SETTINGS, progress=False)
    with pytest.raises(EffectError, match="has 'plain' at seed 0 with other settings; give a new file"):
        cogkit.sweep(pipe, one, change, range(3), log, SETTINGS | {"prompt": "a red star"})
    with pytest.raises(EffectError, match="has 'no red' at seed 0 with other settings"):
        cogkit.sweep(pipe, {"no red": cogkit.knock_out("red", steps=0)}, change, range(3), log, SETTINGS)
    with pytest.raises(EffectError, match="has rows of other weights .*; give a new file"):
        cogkit.sweep(tiny_pipe(num_layers=3), one, change, range(3), log, SETTINGS)
    with pytest.raises(EffectError, match="the metric gave .*None.*; give a number"):
        cogkit.sweep(pipe, {"more": EDITS["two heads"]}, lambda trial: None, range(3), log, SETTINGS)
