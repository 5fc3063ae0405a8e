import torch

from cogkit.training.vae import how_wrong, new_vae, pixel_effect, reconstruct, unseen_shapes, weigh_latents


def test_weighed_latents_are_spread_by_what_they_show_and_decode_to_the_same_video():
    torch.manual_seed(0)
    vae = new_vae(block_out_channels=[16, 16, 16, 16], layers_per_block=1, norm_num_groups=4).requires_grad_(False)
    videos = unseen_shapes(4, frames=9, size=32)
    before = reconstruct(vae, videos)
    for power in (0.5, 1.0):
        weigh_latents(vae, videos, power)
        latents = torch.cat([vae.encode(video[None]).latent_dist.mode() for video in videos])
        std = latents.std((0, 2, 3, 4))
        effect = std * pixel_effect(vae, latents)
        torch.testing.assert_close(std, (effect / effect.max()) ** power, atol=2e-2, rtol=0.1)
        torch.testing.assert_close(reconstruct(vae, videos), before, atol=1e-4, rtol=1e-4)


def test_evenly_weighed_a_clip_of_film_pulls_no_harder_than_a_drawing_ten_times_as_good():
    error = torch.randn(2, 3, 5, 8, 8) * torch.tensor([0.1, 1.0]).view(2, 1, 1, 1, 1)
    pulls = {}
    for even in (False, True):
        error.requires_grad_().grad = None
        how_wrong(error, even).backward()
        drawing, film = (error.grad * error).sum((1, 2, 3, 4)).tolist()  # how fast the loss falls as the error shrinks
        pulls[even] = film / drawing
    assert pulls[False] > 10
    assert abs(pulls[True] - 1) < 1e-5
