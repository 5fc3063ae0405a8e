"""How much signal is left at each training timestep, and which of them a sampler visits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

Level = Float[Tensor, ""]  # one alpha_bar: the share of signal in the latents' variance, 1 (clean) .. 0 (pure noise)
CLEAN = -1  # the train_timestep below 0: where the last step goes


class ScheduleError(ValueError):
    """A noise schedule or a number of steps that cannot be built."""


@dataclass(frozen=True)
class Schedule:
    """The noise level of every training timestep, in float64. `final` is the level of the finished video."""

    alpha_bar: Float[Tensor, " T"]
    final: Level

    def at(self, train_timestep: int) -> Level:
        """The level at 0..T-1; anything below 0 is CLEAN."""
        return self.alpha_bar[train_timestep] if train_timestep >= 0 else self.final

    @classmethod
    def from_config(cls, config: Mapping) -> "Schedule":
        """The schedule of a diffusers scheduler config (2B: snr_shift_scale 3; 5B, I2V and 1.5: 1, which is no shift).

        Mirrors: CogVideoXDDIMScheduler.__init__, bit for bit. Raises ScheduleError for an unknown beta_schedule.
        """
        alpha_bar = torch.cumprod(1 - _betas(config), dim=0)
        alpha_bar = shift_snr(alpha_bar, config["snr_shift_scale"])
        if config["rescale_betas_zero_snr"]:
            alpha_bar = zero_terminal_snr(alpha_bar)
        return cls(alpha_bar, torch.tensor(1.0) if config["set_alpha_to_one"] else alpha_bar[0])


def cogvideox(snr_shift: int | float = 1.0, zero_terminal: bool = True) -> Schedule:
    """The schedule that the released checkpoints were trained with: `snr_shift` 3 for the 2B, 1 for all others.

    `zero_terminal=False` leaves out the repair that makes the last level pure noise; no checkpoint was trained so.
    """
    betas = dict(num_train_timesteps=1000, beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
    ends = dict(rescale_betas_zero_snr=zero_terminal, set_alpha_to_one=True)
    return Schedule.from_config(betas | ends | dict(snr_shift_scale=snr_shift))


def shift_snr(alpha_bar: Float[Tensor, " T"], shift: int | float) -> Float[Tensor, " T"]:
    """Divide the signal-to-noise ratio alpha_bar / (1 - alpha_bar) by `shift`: more noise at every timestep.

    Paper: Stable Diffusion 3 (arXiv:2403.03206), section on resolution-dependent shifting.
    """
    return alpha_bar / (shift + (1 - shift) * alpha_bar)


def zero_terminal_snr(alpha_bar: Float[Tensor, " T"]) -> Float[Tensor, " T"]:
    """Stretch sqrt(alpha_bar) so that the first value stays and the last becomes exactly 0: pure noise, no leak.

    Paper: arXiv:2305.08891, algorithm 1. Mirrors: rescale_zero_terminal_snr.
    """
    root = alpha_bar.sqrt()
    first, last = root[0], root[-1]
    return ((root - last) * (first / (first - last))) ** 2


def spaced_timesteps(
    steps: int, spacing: str = "trailing", train_timesteps: int = 1000, offset: int = 0, as_released: bool = False
) -> list[int]:
    """The training timesteps that a sampler of so many steps visits, noisiest first.

    "trailing" starts at the last one (pure noise), as CogVideoX does; "linspace" takes both ends; "leading" ends at
    `offset` and never sees pure noise. Mirrors: CogVideoXDDIMScheduler.set_timesteps, whose "trailing" visits one more
    timestep, -1, for 62 step counts from 61 on (a rounding error in its range) and whose "linspace" of one step starts
    from the clean end; `as_released` keeps both. Paper: arXiv:2305.08891, table 2. Raises ScheduleError.
    """
    if not 1 <= steps <= train_timesteps:
        raise ScheduleError(f"steps={steps} does not fit: use 1 to {train_timesteps}, the number of training timesteps")
    if spacing == "trailing":
        ladder = np.round(np.arange(train_timesteps, 0, -train_timesteps / steps)).astype(int) - 1
        ladder = ladder if as_released else ladder[:steps]
    elif spacing == "linspace":
        ladder = np.linspace(0, train_timesteps - 1, steps).round()[::-1].astype(int)
        if steps == 1 and not as_released:
            ladder = np.array([train_timesteps - 1])
    elif spacing == "leading":
        ladder = np.arange(steps)[::-1] * (train_timesteps // steps) + offset
    else:
        raise ScheduleError(f"spacing={spacing!r} is unknown; use trailing, linspace or leading")
    return ladder.tolist()


def next_timestep(
    train_timestep: int, ladder: Sequence[int], train_timesteps: int = 1000, steps: int | None = None
) -> int:
    """Where a step from `train_timestep` goes: the next rung of the ladder, CLEAN after the last.

    Given `steps`, the rule as released: train_timestep - train_timesteps // steps, whatever the rungs are. The two
    agree if `steps` divides `train_timesteps`; if not, the released rule drifts by up to one rung and may stop short
    of CLEAN.
    """
    if steps is not None:
        return max(train_timestep - train_timesteps // steps, CLEAN)
    return max((rung for rung in ladder if rung < train_timestep), default=CLEAN)


def _betas(config: Mapping) -> Float[Tensor, " T"]:
    kind, count = config["beta_schedule"], config["num_train_timesteps"]
    start, end = config.get("beta_start"), config.get("beta_end")
    if config.get("trained_betas") is not None:
        return torch.tensor(config["trained_betas"], dtype=torch.float32)
    if kind == "scaled_linear":  # the released one: linear in sqrt(beta)
        return torch.linspace(start**0.5, end**0.5, count, dtype=torch.float64) ** 2
    if kind == "linear":
        return torch.linspace(start, end, count, dtype=torch.float32)
    if kind == "squaredcos_cap_v2":  # arXiv:2102.09672, equation 17
        cosine = [math.cos((i / count + 0.008) / 1.008 * math.pi / 2) ** 2 for i in range(count + 1)]
        return torch.tensor([min(1 - after / now, 0.999) for now, after in zip(cosine, cosine[1:], strict=False)])
    raise ScheduleError(f"beta_schedule={kind!r} is unknown; use scaled_linear, linear or squaredcos_cap_v2")
