import pytest
import torch

from cogkit.sampler.guidance import constant, dynamic, guide
from cogkit.sampler.schedule import spaced_timesteps


def curve(guidance, steps=50):
    return [guidance(step, steps, t) for step, t in enumerate(spaced_timesteps(steps))]


def test_scale_0_ignores_the_text_and_scale_1_follows_it():
    v_uncond, v_text = torch.randn(2, 3), torch.randn(2, 3)
    assert torch.equal(guide(v_uncond, v_text, 0), v_uncond)
    torch.testing.assert_close(guide(v_uncond, v_text, 1), v_text)
    torch.testing.assert_close(guide(v_uncond, v_text, 6) - v_text, 5 * (v_text - v_uncond))


def test_constant_guidance_is_constant():
    assert curve(constant(6)) == [6.0] * 50


def test_dynamic_guidance_as_meant_rises_from_1_to_almost_1_plus_scale():
    meant = curve(dynamic(6.0))
    assert meant[0] == 1 and meant == sorted(meant) and meant[-1] == pytest.approx(6.86, abs=0.01)


def test_dynamic_guidance_as_released_is_a_fixed_zigzag():
    released = curve(dynamic(6.0, as_released=True))
    assert released[:10] == pytest.approx([2.29, 2.54, 6.97, 6.42, 2.79, 4.27, 1.04, 4.17, 1.62, 6.98], abs=0.006)
    assert sum(released) / 50 == pytest.approx(3.82, abs=0.01)
