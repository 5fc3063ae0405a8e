import dataclasses

import pytest

import cogkit
from cogkit.interventions.effects import EffectError
from cogkit.interventions.sweep import Trial
from cogkit.world.captions import canonical
from cogkit.world.scene import Scene, Thing
from cogkit.world.vocabulary import RADII

SCENE = cogkit.sample_scene(5, things=2)


def clip(scene, frames=17):
    return cogkit.render(scene, frames, 128).frames


def trial(frames, seed=0, **settings):
    return Trial("some", seed, settings, frames, lambda: frames)


def test_a_true_rendering_is_all_right_and_another_scene_is_not():
    metric = cogkit.judged(SCENE)
    assert metric(trial(clip(SCENE))) == {"colour": 1, "shape": 1, "motion": 1, "background": 1, "all": 1}
    one = dataclasses.replace(SCENE, things=SCENE.things[:1])
    assert metric(trial(clip(one))) == {"colour": 0.5, "shape": 0.5, "motion": 0.5, "background": 1, "all": 0}


def test_every_seed_is_held_against_its_own_scene():
    scenes = {seed: cogkit.sample_scene(seed, things=1) for seed in range(3)}
    metric = cogkit.judged(scenes)
    assert all(metric(trial(clip(scenes[seed]), seed))["all"] == 1 for seed in scenes)
    assert metric(trial(clip(scenes[0]), 1))["all"] == 0
    with pytest.raises(EffectError, match="no scene for seed 3"):
        metric(trial(clip(scenes[0]), 3))


def test_motion_is_not_asked_of_a_single_frame():
    assert "motion" not in cogkit.judged(SCENE)(trial(clip(SCENE, 1)))


@pytest.mark.parametrize("kind", ["latent", "np", "pil"])
def test_what_is_not_frames_of_uint8_is_refused(kind):
    with pytest.raises(EffectError, match=f"not what output_type='{kind}' gives"):
        cogkit.judged(SCENE)(trial(clip(SCENE) / 255, output_type=kind))


def test_a_sweep_with_the_judge_says_what_a_word_does(nano, tmp_path):
    """Without the word that says so, things are no longer red."""
    shapes = ("circle", "square", "triangle")
    scenes = {
        k: Scene((Thing("red", shapes[k], "small", "still", 0.5, 0.5, RADII["small"]),), "gray") for k in range(3)
    }

    def settings(seed):
        return {"prompt": canonical(scenes[seed], still_frame=True), "num_frames": 1, "num_inference_steps": 10}

    edits = {"no red": cogkit.knock_out("red")}
    effects = cogkit.sweep(nano, edits, cogkit.judged(scenes), scenes, tmp_path / "log.jsonl", settings)
    row = effects.table().sel(intervention="no red")
    assert row.plain.sel(metric="colour") == 1 and row.effect.sel(metric="colour") < -0.5
    assert row.effect.sel(metric="background") == 0
