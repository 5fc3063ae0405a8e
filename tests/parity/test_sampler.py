"""As released, the twins are diffusers' schedulers bit for bit; right, they differ only where the reference errs."""

import math

import pytest
import torch
from diffusers import CogVideoXDDIMScheduler, CogVideoXDPMScheduler

from cogkit.sampler.ddim import ddim
from cogkit.sampler.dpm import dpm
from cogkit.sampler.guidance import dynamic
from cogkit.sampler.schedule import Schedule, spaced_timesteps
from cogkit.swapping import scheduler_twin

COMMON = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "clip_sample": False}
RELEASED = {
    "2b": COMMON | {"timestep_spacing": "trailing", "snr_shift_scale": 3.0},
    "5b": COMMON | {"timestep_spacing": "trailing", "snr_shift_scale": 1.0},
}
OTHERS = {
    "class defaults": {},
    "linspace": COMMON | {"timestep_spacing": "linspace"},
    "leading": COMMON | {"timestep_spacing": "leading", "steps_offset": 1},
    "x0, final alpha": {"prediction_type": "sample", "set_alpha_to_one": False},
    "linear": {"beta_schedule": "linear"},
    "cosine": {"beta_schedule": "squaredcos_cap_v2"},
    "trained betas": {"trained_betas": [0.01] * 900, "num_train_timesteps": 900},
}
STOCK = [CogVideoXDDIMScheduler, CogVideoXDPMScheduler]
STEPS = [1, 4, 7, 30, 50, 60, 61]  # 7, 30, 60 and 61 do not divide 1000; 61 is one of the counts that visit timestep -1


def run(scheduler, steps, dtype=torch.float32, eta=0.0):
    """The pipeline's loop around an arbitrary network: everything that it holds, step by step."""
    noise = torch.Generator().manual_seed(steps)
    network, sampler = torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)
    scheduler.set_timesteps(steps)
    latents, x0, held = torch.randn(1, 3, 4, 2, 2, generator=noise, dtype=dtype), None, []
    for i, t in enumerate(scheduler.timesteps):
        v = torch.randn(latents.shape, generator=network)
        extra = {"eta": eta, "generator": sampler, "return_dict": False}
        if isinstance(scheduler, CogVideoXDPMScheduler):
            back = scheduler.timesteps[i - 1] if i else None
            latents, x0 = scheduler.step(v, x0, t, back, latents, **extra)
        else:
            latents, x0 = scheduler.step(v, t, latents, **extra)
        latents = latents.to(dtype)
        held += [latents, x0]
    return held


def equal(ours, theirs):
    return len(ours) == len(theirs) and all(
        a.dtype == b.dtype and torch.equal(a, b) for a, b in zip(ours, theirs, strict=True)
    )


@pytest.mark.parametrize("stock", STOCK)
@pytest.mark.parametrize("config", [*RELEASED, *OTHERS])
def test_the_noise_levels_are_the_same_to_the_last_bit(stock, config):
    theirs = stock(**(RELEASED | OTHERS)[config])
    ours = Schedule.from_config(theirs.config)
    assert torch.equal(ours.alpha_bar, theirs.alphas_cumprod) and ours.alpha_bar.dtype == theirs.alphas_cumprod.dtype
    assert torch.equal(ours.final, theirs.final_alpha_cumprod)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("config", [*RELEASED, *OTHERS])
@pytest.mark.parametrize("stock", STOCK)
def test_as_released_every_step_is_the_same_to_the_last_bit(stock, config, steps):
    theirs = stock(**(RELEASED | OTHERS)[config])
    ours = scheduler_twin(theirs, as_released=True)
    assert equal(run(ours, steps), run(theirs, steps))
    assert ours.timesteps.tolist() == theirs.timesteps.tolist() and ours.timesteps.dtype == theirs.timesteps.dtype


@pytest.mark.parametrize("stock", STOCK)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_as_released_half_precision_and_eta_are_the_same_to_the_last_bit(stock, dtype):
    theirs = stock(**RELEASED["5b"])
    assert equal(run(scheduler_twin(theirs, as_released=True), 10, dtype, eta=0.5), run(theirs, 10, dtype, eta=0.5))


@pytest.mark.parametrize("steps", [1, 2, 4, 20, 25, 50])
@pytest.mark.parametrize("config", RELEASED)
@pytest.mark.parametrize("stock", STOCK)
def test_right_and_released_agree_to_the_last_bit_where_the_step_count_divides_1000(stock, config, steps):
    theirs = stock(**RELEASED[config])
    assert equal(run(scheduler_twin(theirs), steps), run(theirs, steps))


def test_for_every_step_count_the_timesteps_are_the_released_ones_but_for_minus_one():
    theirs, odd = CogVideoXDDIMScheduler(**RELEASED["5b"]), []
    for steps in range(1, 1001):
        theirs.set_timesteps(steps)
        released = theirs.timesteps.tolist()
        assert spaced_timesteps(steps, as_released=True) == released
        assert spaced_timesteps(steps) == [t for t in released if t >= 0]
        odd += [steps] * (len(released) != steps)
    assert len(odd) == 62 and odd[:4] == [61, 103, 121, 122]


@pytest.mark.parametrize("stock", STOCK)
def test_the_other_methods_that_trainers_and_pipelines_use_are_the_same(stock):
    theirs = stock(**RELEASED["2b"])
    ours = scheduler_twin(theirs)
    x, noise = torch.randn(2, 3, 4, 2, 2), torch.randn(2, 3, 4, 2, 2)
    t = torch.tensor([3, 999])
    for name in ("add_noise", "get_velocity"):
        assert torch.equal(getattr(ours, name)(x, noise, t), getattr(theirs, name)(x, noise, t))
    assert ours.scale_model_input(x, 5) is x
    assert (ours.init_noise_sigma, ours.order, len(ours)) == (theirs.init_noise_sigma, theirs.order, len(theirs))
    assert {k: v for k, v in ours.config.items() if k != "_use_default_values"} == {
        k: v for k, v in theirs.config.items() if k != "_use_default_values"
    }


@pytest.mark.parametrize("steps", [4, 7, 50, 61])
@pytest.mark.parametrize(("stock", "generate"), [(STOCK[0], ddim), (STOCK[1], dpm)])
def test_the_generators_walk_the_released_path(stock, generate, steps):
    theirs = stock(**RELEASED["2b"])
    held = run(theirs, steps)
    start = torch.randn(1, 3, 4, 2, 2, generator=torch.Generator().manual_seed(steps))
    network = torch.Generator().manual_seed(1)
    walk = generate(
        lambda latents, t: torch.randn(latents.shape, generator=network),
        start,
        Schedule.from_config(theirs.config),
        theirs.timesteps.tolist(),
        generator=torch.Generator().manual_seed(2),
        as_released=True,
    )
    assert equal([tensor for step in walk for tensor in (step.next_latents, step.x0)], held)


@pytest.mark.parametrize("steps", [20, 50])
def test_dynamic_guidance_as_released_is_the_pipelines(nano, steps):
    seen = []

    def note(pipe, i, t, kwargs):
        seen.append((pipe.guidance_scale, int(t)))
        pipe._interrupt = i == 7  # the rest of the loop is skipped
        return {}

    nano(
        "a red circle moving right on a gray background",
        num_frames=1,
        height=32,
        width=32,
        num_inference_steps=steps,
        guidance_scale=6.0,
        use_dynamic_cfg=True,
        output_type="latent",
        callback_on_step_end=note,
    )
    curve = dynamic(6.0, as_released=True)
    assert len(seen) == 8
    assert all(math.isclose(g, curve(i, steps, t), rel_tol=0) for i, (g, t) in enumerate(seen))
