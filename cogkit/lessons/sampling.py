"""Notebook 05: a schedule that ends in pure noise, what v claims, one step of DDIM, and a guidance that rises."""

import math

import torch

from cogkit.sampler.guidance import dynamic
from cogkit.sampler.prediction import add_noise, v_from_x0_noise
from cogkit.sampler.schedule import zero_terminal_snr as zero_terminal_snr_of_the_package
from cogkit.teaching import Exercise, check


def zero_terminal_snr(alpha_bar):
    """Stretch sqrt(alpha_bar) so that its first value stays and its last becomes 0."""
    root = alpha_bar.sqrt()
    return ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2


def _test_zero_terminal_snr(answer):
    before = torch.linspace(0.99, 0.1, 10, dtype=torch.float64) ** 2
    got = answer(before.clone())
    check("the last value is 0", got[-1], equals=0, within=1e-12)
    check("the first value stays", got[0], equals=before[0], within=1e-9)
    check(
        "sqrt(alpha_bar) is stretched evenly", got, equals=zero_terminal_snr_of_the_package(before.clone()), within=1e-9
    )


def last_set_to_zero(alpha_bar):
    return torch.cat([alpha_bar[:-1], alpha_bar[-1:] * 0])


def stretched_without_root(alpha_bar):
    return (alpha_bar - alpha_bar[-1]) * alpha_bar[0] / (alpha_bar[0] - alpha_bar[-1])


def only_lowered(alpha_bar):
    return (alpha_bar.sqrt() - alpha_bar[-1].sqrt()) ** 2


def not_squared_again(alpha_bar):
    return zero_terminal_snr(alpha_bar).sqrt()


ZERO_TERMINAL_SNR = Exercise(
    "zero_terminal_snr",
    zero_terminal_snr,
    _test_zero_terminal_snr,
    (
        "work on root = alpha_bar.sqrt(), and square at the end",
        "subtract the last value, then multiply so that the first one is what it was: root[0] / (root[0] - root[-1])",
    ),
    (last_set_to_zero, stretched_without_root, only_lowered, not_squared_again),
)


def x0_from_v(latents, v, alpha_bar):
    """The clean latents that v claims."""
    return alpha_bar.sqrt() * latents - (1 - alpha_bar).sqrt() * v


def _test_x0_from_v(answer):
    dice = torch.Generator().manual_seed(0)
    x0, noise = torch.randn(2, 3, 4, generator=dice), torch.randn(2, 3, 4, generator=dice)
    for level in (torch.tensor(0.9), torch.tensor(0.3), torch.tensor(0.0)):
        latents, v = add_noise(x0, noise, level), v_from_x0_noise(x0, noise, level)
        check("the true v gives back the clean latents", answer(latents, v, level), equals=x0, within=1e-5)


def with_plus(latents, v, alpha_bar):
    return alpha_bar.sqrt() * latents + (1 - alpha_bar).sqrt() * v


def the_noise_instead(latents, v, alpha_bar):
    return (1 - alpha_bar).sqrt() * latents + alpha_bar.sqrt() * v


def without_roots(latents, v, alpha_bar):
    return alpha_bar * latents - (1 - alpha_bar) * v


def as_if_v_were_noise(latents, v, alpha_bar):
    return (latents - (1 - alpha_bar).sqrt() * v) / alpha_bar.sqrt()


X0_FROM_V = Exercise(
    "x0_from_v",
    x0_from_v,
    _test_x0_from_v,
    (
        "latents = c x0 + s noise and v = c noise - s x0, with c squared + s squared = 1",
        "multiply the first by c, the second by s, and subtract: the noise cancels",
    ),
    (with_plus, the_noise_instead, without_roots, as_if_v_were_noise),
)


def ddim_step(latents, x0, level, next_level):
    """Keep x0, keep the noise that latents and x0 imply, and mix them again at the next level."""
    keep = ((1 - next_level) / (1 - level)) ** 0.5
    return keep * latents + (next_level**0.5 - level**0.5 * keep) * x0


def _test_ddim_step(answer):
    dice = torch.Generator().manual_seed(0)
    x0, noise = torch.randn(2, 3, 4, generator=dice), torch.randn(2, 3, 4, generator=dice)
    for before, after in ((0.0, 0.2), (0.2, 0.7), (0.7, 1.0)):
        level, next_level = torch.tensor(before), torch.tensor(after)
        got = answer(add_noise(x0, noise, level), x0, level, next_level)
        check(
            "the same x0 and noise, mixed at the next level", got, equals=add_noise(x0, noise, next_level), within=1e-5
        )


def jump_to_clean(latents, x0, level, next_level):
    return x0


def levels_swapped(latents, x0, level, next_level):
    keep = ((1 - level) / (1 - next_level).clamp(min=1e-6)) ** 0.5
    return keep * latents + (level**0.5 - next_level**0.5 * keep) * x0


def old_noise_level(latents, x0, level, next_level):
    return next_level**0.5 * x0 + (latents - level**0.5 * x0)


def x0_not_mixed(latents, x0, level, next_level):
    return ((1 - next_level) / (1 - level)) ** 0.5 * latents + next_level**0.5 * x0


DDIM_STEP = Exercise(
    "ddim_step",
    ddim_step,
    _test_ddim_step,
    (
        "the implied noise is (latents - level**0.5 * x0) / (1 - level)**0.5",
        "the answer is next_level**0.5 * x0 + (1 - next_level)**0.5 * noise",
    ),
    (jump_to_clean, levels_swapped, old_noise_level, x0_not_mixed),
)


def rising_guidance(step, steps, scale):
    """From 1 at the first step up to almost 1 + scale at the last, late and steeply."""
    return 1 + scale * (1 - math.cos(math.pi * (step / steps) ** 5)) / 2


def _test_rising_guidance(answer):
    check("it begins at 1", answer(0, 50, 6), equals=1, within=1e-9)
    wanted = [dynamic(6)(step, 50, 999 - 20 * step) for step in range(50)]
    check("it rises as the formula says", [answer(step, 50, 6) for step in range(50)], equals=wanted, within=1e-6)
    check("it is near 1 + scale at the last step", answer(99, 100, 4), equals=5, within=0.05)


def as_released(step, steps, scale):
    return dynamic(scale, as_released=True)(step, steps, 999 - 1000 // steps * step)


def without_power(step, steps, scale):
    return 1 + scale * (1 - math.cos(math.pi * step / steps)) / 2


def from_zero(step, steps, scale):
    return scale * (1 - math.cos(math.pi * (step / steps) ** 5)) / 2


def falling(step, steps, scale):
    return rising_guidance(steps - 1 - step, steps, scale)


RISING_GUIDANCE = Exercise(
    "rising_guidance",
    rising_guidance,
    _test_rising_guidance,
    ("p = step / steps runs from 0 to almost 1", "1 + scale * (1 - math.cos(math.pi * p**5)) / 2"),
    (as_released, without_power, from_zero, falling),
)
