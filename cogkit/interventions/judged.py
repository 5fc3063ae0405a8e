"""The judge as a sweep's metric: how much of a scene is still right."""

from collections.abc import Callable, Mapping

from cogkit.interventions.effects import EffectError
from cogkit.interventions.sweep import Trial
from cogkit.world.judge import read_video
from cogkit.world.scene import Scene
from cogkit.world.scores import Scores


def judged(scenes: Scene | Mapping[int, Scene]) -> Callable[[Trial], dict[str, float]]:
    """A metric for `cogkit.sweep`: the shares of colours, shapes, motions and backgrounds that are as in the scene that
    was asked for, one for all seeds or one by seed, and `all`, which is 1 if everything is.

        def settings(seed):  # canonical, of cogkit.world.captions, leaves nothing out that is asked
            return {"prompt": canonical(scenes[seed]), "num_inference_steps": 20}
        scenes = {seed: cogkit.sample_scene(seed, things=1) for seed in range(20)}
        effects = cogkit.sweep(pipe, edits, cogkit.judged(scenes), scenes, "log.jsonl", settings)

    Motion is not asked of single frames. Raises EffectError for a seed without a scene and for settings with an
    `output_type` other than "pt".
    """

    def metric(trial: Trial) -> dict[str, float]:
        wanted = scenes if isinstance(scenes, Scene) else scenes.get(trial.seed)
        if wanted is None:
            raise EffectError(f"judged() has no scene for seed {trial.seed}; give it one for each, or one for all")
        if (kind := trial.settings.get("output_type", "pt")) != "pt":
            raise EffectError(f"the judge reads frames of uint8, not what output_type={kind!r} gives; leave it out")
        scores = Scores()
        scores.add(wanted, read_video(trial.frames), motion=len(trial.frames) > 1)
        return scores.rates()

    return metric
