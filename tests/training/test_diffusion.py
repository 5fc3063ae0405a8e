import torch

from cogkit.training.diffusion import add_noise, new_scheduler


def test_noise_and_v_agree_with_the_scheduler_of_diffusers():
    scheduler = new_scheduler()
    x0, noise = torch.randn(2, 4, 3, 2, 2, 2).unbind()
    t = torch.tensor([0, 300, 700, 998])
    got = add_noise(x0, noise, t, scheduler.alphas_cumprod)
    torch.testing.assert_close(got.latents, scheduler.add_noise(x0, noise, t))
    torch.testing.assert_close(got.v, scheduler.get_velocity(x0, noise, t))


def test_at_999_nothing_is_left_but_noise_and_v_is_minus_x0():
    x0, noise = torch.randn(2, 1, 3, 2, 2, 2).unbind()
    got = add_noise(x0, noise, torch.tensor([999]), new_scheduler().alphas_cumprod)
    assert torch.equal(got.latents, noise) and torch.equal(got.v, -x0)


def test_nothing_becomes_float64():
    x0 = torch.randn(1, 3, 2, 2, 2)
    assert add_noise(x0, x0, torch.tensor([5]), new_scheduler().alphas_cumprod.double()).latents.dtype == torch.float32
