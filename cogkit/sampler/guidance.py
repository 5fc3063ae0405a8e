"""How far to go from the unconditional v towards, and past, the one that knows the text."""

import math
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

Guidance = Callable[[int, int, int], float]  # (step, steps, train_timestep) -> guidance scale


def guide(v_uncond: Float[Tensor, "..."], v_text: Float[Tensor, "..."], scale: int | float) -> Float[Tensor, "..."]:
    """Classifier-free guidance: 0 ignores the text, 1 follows it, more exaggerates. Paper: arXiv:2207.12598."""
    return v_uncond + scale * (v_text - v_uncond)


def constant(scale: int | float) -> Guidance:
    """The same at every step; CogVideoX's default is 6."""
    return lambda step, steps, train_timestep: float(scale)


def dynamic(scale: int | float, power: int | float = 5.0, as_released: bool = False) -> Guidance:
    """From 1 at the first step to almost 1 + scale at the last, late and steeply: 1 + scale (1 - cos(pi p^power)) / 2.

    p = step / steps was meant. Released is p = (steps - train_timestep) / steps, a difference of two units: it runs
    from -19 to 0.6, and the cosine of its fifth power is an arbitrary but fixed sequence. The authors noticed and kept
    it, since that wave happens to avoid over-exposure (github.com/zai-org/CogVideo/issues/267).
    Mirrors: CogVideoXPipeline.__call__(use_dynamic_cfg=True) as released; DynamicCFG of the original code as intended.
    """

    def at(step: int, steps: int, train_timestep: int) -> float:
        p = (steps - train_timestep) / steps if as_released else step / steps
        return 1 + scale * ((1 - math.cos(math.pi * p**power)) / 2)

    return at
