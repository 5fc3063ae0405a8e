"""The readable VAE against diffusers' AutoencoderKLCogVideoX, on random weights and on the trained ones."""

import pytest
import torch
from diffusers import AutoencoderKLCogVideoX

from cogkit.checkpoints import load
from cogkit.twin import ConfigError
from cogkit.vae.autoencoder import CausalVAE

BOUND = 1e-5  # fp32, where the twin adds in another order
TINY = dict(
    block_out_channels=(8, 16, 16, 32), layers_per_block=1, norm_num_groups=4, sample_height=64, sample_width=64
)


@pytest.fixture(autouse=True)
def as_pipelines_run_it():
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def stock():
    torch.manual_seed(0)
    return AutoencoderKLCogVideoX(**TINY).eval().requires_grad_(False)


def video(frames, height=32, width=48):
    return torch.rand(1, 3, frames, height, width, generator=torch.Generator().manual_seed(frames)) * 2 - 1


def test_state_dicts_load_strictly_both_ways(stock):
    twin = CausalVAE(**TINY)
    twin.load_state_dict(stock.state_dict(), strict=True)
    AutoencoderKLCogVideoX(**TINY).load_state_dict(twin.state_dict(), strict=True)


@pytest.mark.parametrize("frames", [1, 5, 9, 13, 17, 25])
def test_as_released_every_clip_is_encoded_and_decoded_bit_for_bit(stock, frames):
    twin, x = CausalVAE.from_stock(stock, as_released=True), video(frames)
    mine, theirs = twin.encode(x).latent_dist, stock.encode(x).latent_dist
    assert torch.equal(mine.mean, theirs.mean) and torch.equal(mine.logvar, theirs.logvar)
    assert torch.equal(twin.decode(mine.mode()).sample, stock.decode(theirs.mode()).sample)


@pytest.mark.parametrize("frames", [1, 9, 17, 25])
def test_where_the_reference_is_right_the_fast_path_agrees(stock, frames):
    twin, x = CausalVAE.from_stock(stock), video(frames)
    z = stock.encode(x).latent_dist.mode()
    assert (twin.encode(x).latent_dist.mode() - z).abs().max() < BOUND * z.abs().max().clamp_min(1)
    assert (twin.decode(z).sample - stock.decode(z).sample).abs().max() < BOUND


@pytest.mark.parametrize("size", [(8, 8), (8, 24), (40, 56)])
def test_latents_of_one_pixel_and_of_odd_sizes_agree(stock, size):
    twin, x = CausalVAE.from_stock(stock), video(9, *size)
    z = stock.encode(x).latent_dist.mode()
    assert z.shape[3:] == (size[0] // 8, size[1] // 8)
    assert (twin.encode(x).latent_dist.mode() - z).abs().max() < BOUND * z.abs().max().clamp_min(1)
    assert (twin.decode(z).sample - stock.decode(z).sample).abs().max() < BOUND


def test_tiles_give_what_diffusers_tiles_give(stock):
    twin, x = CausalVAE.from_stock(stock, as_released=True), video(9, 64, 64)
    for vae in (stock, twin):
        vae.enable_tiling(48, 48)
    try:
        z = stock.encode(x).latent_dist.mode()
        assert torch.equal(twin.encode(x).latent_dist.mode(), z)
        theirs = stock.decode(z).sample
        assert torch.equal(twin.decode(z).sample, theirs)
        assert (CausalVAE.from_stock(stock).decode(z).sample - theirs).abs().max() < BOUND
    finally:
        stock.disable_tiling()


def test_slices_give_what_the_batch_gives(stock):
    twin, x = CausalVAE.from_stock(stock), torch.cat([video(9), -video(9)])
    whole = twin.encode(x).latent_dist.mode()
    twin.enable_slicing()
    torch.testing.assert_close(twin.encode(x).latent_dist.mode(), whole, atol=BOUND, rtol=0)


def test_a_saved_twin_is_a_checkpoint_of_the_stock_class(stock, tmp_path):
    CausalVAE.from_stock(stock).save_pretrained(tmp_path)
    again = AutoencoderKLCogVideoX.from_pretrained(tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), stock.parameters(), strict=True))


def test_on_the_trained_model_frames_are_equal_as_uint8_but_for_few_that_are_off_by_one_level():
    """A value halfway between two levels is decided by its last digits."""
    vae = load("nano", torch.float32).vae.requires_grad_(False)
    z = vae.encode(video(9, 64, 64)).latent_dist.mode()
    theirs = vae.decode(z).sample
    assert torch.equal(CausalVAE.from_stock(vae, as_released=True).decode(z).sample, theirs)
    levels = [((x / 2 + 0.5).clamp(0, 1) * 255).round() for x in (CausalVAE.from_stock(vae).decode(z).sample, theirs)]
    assert (levels[0] - levels[1]).abs().max() <= 1 and (levels[0] != levels[1]).float().mean() <= 1 / 20_000


def test_a_config_that_no_cogvideox_has_is_refused():
    with pytest.raises(ConfigError, match="use_quant_conv=True.*keep the stock"):
        CausalVAE(**TINY, use_quant_conv=True)
