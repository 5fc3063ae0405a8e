"""Notebook 06: when a run has settled, which frames a latent frame stands for, what a change does over many seeds."""

import numpy as np

from cogkit.teaching import Exercise, check


def settled(x0, share):
    """The first step from which on the predicted clean latents stay within `share` of the way to the last one.

    x0: (step, ...). The way is the distance of the first prediction from the last.
    """
    distance = np.sqrt(((x0 - x0[-1]) ** 2).reshape(len(x0), -1).sum(1))
    far = np.flatnonzero(distance > share * distance[0])
    return int(far[-1]) + 1 if len(far) else 0


def _test_settled(answer):
    direction = np.array([3.0, 4.0]) + 0
    paths = [([8, 6, 3, 1, 0], 0.5, 2), ([8, 3, 6, 1, 0], 0.5, 3), ([8, 7, 7, 7, 0], 0.1, 4), ([8, 1, 1, 1, 0], 0.2, 1)]
    for distances, share, wanted in paths:
        x0 = 5 + np.array(distances, float)[:, None] * direction
        check(f"distances {distances}: within {share} of the way from {wanted} on", answer(x0, share), equals=wanted)


def settled_at_the_first_crossing(x0, share):
    distance = np.linalg.norm((x0 - x0[-1]).reshape(len(x0), -1), axis=1)
    return int(np.flatnonzero(distance <= share * distance[0])[0])


def settled_by_its_own_size(x0, share):
    size = np.linalg.norm(x0.reshape(len(x0), -1), axis=1)
    far = np.flatnonzero(abs(size - size[-1]) > share * size[-1])
    return int(far[-1]) + 1 if len(far) else 0


def settled_when_steps_are_small(x0, share):
    moved = np.linalg.norm(np.diff(x0, axis=0).reshape(len(x0) - 1, -1), axis=1)
    far = np.flatnonzero(moved > share * moved[0])
    return int(far[-1]) + 1 if len(far) else 0


SETTLED = Exercise(
    "settled",
    settled,
    _test_settled,
    (
        "measure every step's distance to the last prediction, and compare with that of step 0",
        "it must stay there: look for the last step that is still too far, and take the next",
    ),
    (settled_at_the_first_crossing, settled_by_its_own_size, settled_when_steps_are_small),
)


def frames_of(latent_frame):
    """The frames that a latent frame stands for."""
    return [0] if latent_frame == 0 else list(range(4 * latent_frame - 3, 4 * latent_frame + 1))


def _test_frames_of(answer):
    for latent_frame, wanted in ((0, [0]), (1, [1, 2, 3, 4]), (4, [13, 14, 15, 16])):
        check(f"latent frame {latent_frame} stands for {wanted}", list(answer(latent_frame)), equals=wanted)


def frames_in_fours_from_the_start(latent_frame):
    return list(range(4 * latent_frame, 4 * latent_frame + 4))


def frames_without_the_last(latent_frame):
    return frames_of(latent_frame)[:-1] or [0]


def one_frame_each(latent_frame):
    return [4 * latent_frame]


FRAMES_OF = Exercise(
    "frames_of",
    frames_of,
    _test_frames_of,
    ("frame 0 has latent frame 0 for itself", "after it come fours: 1 to 4, 5 to 8, and so on: up to 4j, four of them"),
    (frames_in_fours_from_the_start, frames_without_the_last, one_frame_each),
)


def effect(before, after):
    """(mean difference, its standard error) of runs in pairs: before[i] and after[i] have the same seed."""
    difference = np.asarray(after, float) - np.asarray(before, float)
    return difference.mean(), difference.std(ddof=1) / np.sqrt(len(difference))


def _test_effect(answer):
    before, after = [10, 20, 30, 40], [12, 21, 33, 42]
    mean, error = answer(before, after)
    check("the mean of the differences is 2", mean, equals=2.0, within=1e-9)
    check("pairs cancel what seeds differ by: the error is 0.41, not 9", error, equals=(2 / 3) ** 0.5 / 2, within=1e-9)


def effect_unpaired(before, after):
    before, after = np.asarray(before, float), np.asarray(after, float)
    return after.mean() - before.mean(), np.sqrt((before.var(ddof=1) + after.var(ddof=1)) / len(before))


def effect_with_the_spread(before, after):
    difference = np.asarray(after, float) - np.asarray(before, float)
    return difference.mean(), difference.std(ddof=1)


def effect_of_the_population(before, after):
    difference = np.asarray(after, float) - np.asarray(before, float)
    return difference.mean(), difference.std() / np.sqrt(len(difference))


def effect_backwards(before, after):
    return effect(after, before)


EFFECT = Exercise(
    "effect",
    effect,
    _test_effect,
    (
        "take the differences first, seed by seed",
        "the standard error is their standard deviation (ddof=1: over n - 1) over the square root of their number",
    ),
    (effect_unpaired, effect_with_the_spread, effect_of_the_population, effect_backwards),
)
