"""What the readable VAE promises by itself: 4k + 1 frames come back, the future never leaks, streams are exact."""

import weakref

import pytest
import torch
from diffusers import AutoencoderKLCogVideoX

from cogkit.shapes import SizeError
from cogkit.vae.autoencoder import CausalVAE

TINY = dict(block_out_channels=(8, 8, 8, 16), layers_per_block=1, norm_num_groups=4)


@pytest.fixture(autouse=True)
def as_pipelines_run_it():
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def vae():
    torch.manual_seed(0)
    return CausalVAE(**TINY).eval().requires_grad_(False)


def video(frames, size=16):
    return torch.rand(1, 3, frames, size, size, generator=torch.Generator().manual_seed(frames)) * 2 - 1


def pieces(x, lengths):
    done = 0
    while done < x.shape[2]:
        for n in lengths:
            if done < x.shape[2]:
                yield x[:, :, done : done + n]
            done += n


@pytest.mark.parametrize("frames", [1, 5, 9, 13, 17, 21, 49])
def test_every_4k_plus_1_frames_come_back_as_they_came(vae, frames):
    z = vae.encode(video(frames)).latent_dist.mode()
    assert z.shape[2] == (frames - 1) // 4 + 1
    assert vae.decode(z).sample.shape[2] == frames


def test_the_reference_gives_8_frames_back_for_5_and_so_do_we_as_released(vae):
    stock = AutoencoderKLCogVideoX(**TINY)
    stock.load_state_dict(vae.state_dict())
    assert stock.decode(stock.encode(video(5)).latent_dist.mode()).sample.shape[2] == 8
    released = CausalVAE.from_stock(stock, as_released=True)
    assert released.decode(released.encode(video(5)).latent_dist.mode()).sample.shape[2] == 8


@pytest.mark.parametrize("frames", [2, 4, 6, 8, 12])
def test_other_frame_counts_are_refused_with_the_way_out(vae, frames):
    with pytest.raises(ValueError, match=rf"{frames}.*\b{4 * (frames // 4) + 1}\b"):
        vae.encode(video(frames))


@pytest.mark.parametrize(
    ("size", "axis", "near"), [((20, 16), "height=20", "16 or 24"), ((16, 9), "width=9", "8 or 16")]
)
def test_a_size_that_would_come_back_smaller_is_refused_in_clips_and_streams_and_under_tiles(vae, size, axis, near):
    x = torch.zeros(1, 3, 1, *size)
    tiled = CausalVAE.from_stock(vae)
    tiled.enable_tiling(8, 8)
    for encode in (vae.encode, tiled.encode, lambda x: list(vae.encode_stream([x]))):
        with pytest.raises(SizeError, match=f"{axis} does not fit: it must be a multiple of 8 pixels; use {near}"):
            encode(x)


@pytest.mark.parametrize("tiles", [False, True])
def test_as_released_a_clip_of_any_size_is_encoded_as_by_the_stock_vae(vae, tiles):
    """44 rows become 5 of the latents; in tiles of 32, which overlap by whole pixels and not by whole latents, 6."""
    stock, x = AutoencoderKLCogVideoX(**TINY).eval(), video(9, 44)
    stock.load_state_dict(vae.state_dict())
    stock.enable_tiling(32, 32) if tiles else None
    twin = CausalVAE.from_stock(stock, as_released=True)
    z = twin.encode(x).latent_dist.mode()
    assert z.shape[3:] == ((6, 6) if tiles else (5, 5)) and torch.equal(z, stock.encode(x).latent_dist.mode())
    assert torch.equal(torch.cat([part.mode() for part in twin.encode_stream([x], frames=9)], dim=2), z)


def test_no_chunk_sees_a_later_one(vae):
    x = video(17)
    z = vae.encode(x).latent_dist.mode()
    x[:, :, 9:] = 0.0
    changed = vae.encode(x).latent_dist.mode()
    assert torch.equal(changed[:, :, :3], z[:, :, :3]) and not torch.equal(changed[:, :, 3:], z[:, :, 3:])


@pytest.mark.parametrize(("frames", "lengths"), [(1, [1]), (17, [1]), (33, [3, 10, 1]), (257, [50])])
def test_a_stream_cut_anywhere_is_the_whole_clip_bit_for_bit(vae, frames, lengths):
    x = video(frames)
    whole = vae.encode(x).latent_dist.mode()
    streamed = torch.cat([p.mode() for p in vae.encode_stream(pieces(x, lengths))], dim=2)
    assert torch.equal(streamed, whole)
    decoded = torch.cat(list(vae.decode_stream(pieces(whole, lengths))), dim=2)
    assert torch.equal(decoded, vae.decode(whole).sample)


def test_a_stream_holds_one_chunk_however_long_the_video(vae):
    """Of the pieces of an endless video, and of what they became, the last ones are alive and no others."""
    alive = weakref.WeakSet()

    def endless(channels, frames, size):
        while True:
            piece = torch.rand(1, channels, frames, size, size)
            alive.add(piece)
            yield piece

    for stream in vae.encode_stream(endless(3, 8, 16)), vae.decode_stream(endless(16, 2, 2)):
        alive.clear()
        for _ in range(20):
            alive.add(getattr(chunk := next(stream), "parameters", chunk))
        del chunk
        assert len(alive) <= 3


@pytest.mark.parametrize("tiled", [False, True])
def test_as_released_a_stream_that_knows_its_length_is_the_clip_of_the_stock_vae(tiled):
    torch.manual_seed(0)
    stock = AutoencoderKLCogVideoX(**TINY).eval()
    stock.enable_tiling(16, 16, 0.5, 0.5) if tiled else None
    x, twin = video(23, 32), CausalVAE.from_stock(stock, as_released=True)
    whole = stock.encode(x).latent_dist.mode()
    streamed = torch.cat([p.mode() for p in twin.encode_stream(pieces(x, [5, 8]), frames=23)], dim=2)
    assert torch.equal(streamed, whole)
    latents = pieces(whole, [1, 3])
    decoded = torch.cat(list(twin.decode_stream(latents, latent_frames=whole.shape[2])), dim=2)
    assert torch.equal(decoded, stock.decode(whole).sample)


def test_a_stream_of_a_wrong_length_is_refused_at_its_end(vae):
    with pytest.raises(ValueError, match="10"):
        list(vae.encode_stream(pieces(video(10), [4])))
