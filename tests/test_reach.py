"""What the rule says of every pair of frames is what the trained VAE does, and what gradients find in a deeper one."""

import numpy as np
import pytest
import torch

import cogkit
from cogkit.reach import chunk_of, decoder_reach, encoder_reach
from cogkit.vae.autoencoder import CausalVAE
from cogkit.vae.group_norm import GroupNorm
from cogkit.vae.spatial_norm import SpatialNorm
from cogkit.vae.stream import Stream


def moved(network, start):
    """(after, before): which frames of the result move when one frame of `start` turns into its negative."""
    batch = start.repeat(start.shape[2] + 1, 1, 1, 1, 1)
    for k in range(start.shape[2]):
        batch[1 + k, :, k] *= -1  # sample 0 stays as it is
    with torch.no_grad():
        result = network(batch)
    return ((result[1:] - result[:1]).abs().amax((1, 3, 4)) > 0).T.numpy()


@pytest.fixture(scope="module")
def trained():
    return CausalVAE.from_stock(cogkit.load("nano", dtype=torch.float32).vae)


def test_as_trained_the_rule_is_what_a_changed_frame_does(trained):
    dice = torch.Generator().manual_seed(0)
    clip = torch.rand(1, 3, 13, 8, 8, generator=dice) * 2 - 1
    latents = torch.randn(1, 16, 4, 1, 1, generator=dice)
    encoded = moved(lambda v: trained.encode(v).latent_dist.mode(), clip)
    decoded = moved(lambda z: trained.decode(z).sample, latents)
    assert (encoded == encoder_reach(13)).all()
    assert (decoded == decoder_reach(4)).all()


def quiet(network):
    """The same network whose norms do nothing: what is left looks at other frames by convolutions alone."""
    for module in network.modules():
        if isinstance(module, GroupNorm):
            module.forward = lambda x, stream: x
        elif isinstance(module, SpatialNorm):
            module.forward = lambda x, stream, z: x
    return network.double()


def test_without_norms_the_rule_is_what_a_gradient_reaches():
    resnets, frames, latents = 1, 93, 28
    torch.manual_seed(0)
    sizes = {"block_out_channels": [2] * 4, "latent_channels": 1, "norm_num_groups": 1}
    vae = quiet(CausalVAE(layers_per_block=resnets, **sizes))
    encoder, decoder = vae.encoder, vae.decoder
    clip = torch.rand(1, 3, frames, 8, 8, dtype=torch.float64, requires_grad=True)
    encoder(clip, Stream())[:, :, -1].sum().backward()
    z = torch.randn(1, 1, latents, 1, 1, dtype=torch.float64, requires_grad=True)
    decoder(z, Stream())[:, :, -1].sum().backward()
    read, decoded_from = (x.grad.abs().amax((0, 1, 3, 4)) > 0 for x in (clip, z))
    assert not read.all() and not decoded_from.all()  # the clip is longer than the reach
    assert (read.numpy() == encoder_reach(frames, resnets, norms=False)[-1]).all()
    assert (decoded_from.numpy() == decoder_reach(latents, resnets, norms=False)[-1]).all()


def test_with_norms_nothing_reaches_back_over_the_border_of_a_chunk():
    encoder, decoder = encoder_reach(49), decoder_reach(13)
    chunk_of_latent = chunk_of(4 * np.arange(13))
    later = chunk_of(np.arange(49))[None] > chunk_of_latent[:, None]
    assert not encoder[later].any() and encoder[~later].all()
    assert (decoder == (chunk_of(np.arange(49))[:, None] >= chunk_of_latent[None])).all()


def test_a_latent_frame_of_the_released_encoder_sees_178_frames():
    assert encoder_reach(49 * 8 + 1, resnets=3, norms=False)[-1].sum() == 178
