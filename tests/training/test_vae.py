import torch

from cogkit.training.vae import equalise_latents, new_vae, reconstruct, unseen_shapes


def test_equalised_latents_have_variance_1_and_the_same_reconstruction():
    torch.manual_seed(0)
    vae = new_vae(block_out_channels=[16, 16, 16, 16], layers_per_block=1, norm_num_groups=4).requires_grad_(False)
    videos = unseen_shapes(2, frames=9, size=32)
    before = reconstruct(vae, videos)
    equalise_latents(vae, videos)
    latents = torch.cat([vae.encode(video[None]).latent_dist.mode() for video in videos])
    torch.testing.assert_close(latents.std((0, 2, 3, 4)), torch.ones(16), atol=1e-3, rtol=0)
    torch.testing.assert_close(reconstruct(vae, videos), before, atol=1e-4, rtol=1e-4)
