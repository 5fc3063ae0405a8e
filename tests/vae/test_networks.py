from types import SimpleNamespace

import pytest
import torch

from cogkit.vae.autoencoder import CausalVAE
from cogkit.vae.networks import Decoder, Encoder
from cogkit.vae.spatial_norm import SpatialNorm
from cogkit.vae.stream import Stream

CONFIG = SimpleNamespace(
    block_out_channels=(8, 8, 8, 16),
    layers_per_block=1,
    norm_num_groups=4,
    norm_eps=1e-6,
    temporal_compression_ratio=4,
    latent_channels=3,
    in_channels=3,
    out_channels=3,
)


@pytest.fixture(autouse=True)
def as_pipelines_run_it():
    torch.manual_seed(0)
    with torch.no_grad():
        yield


def sizes(network, x):
    """(frames, height) after each row, and the answer."""
    seen = []
    hooks = [
        row.register_forward_hook(lambda *a: seen.append((a[2].shape[2], a[2].shape[3]))) for row in network.rows()
    ]
    answer = network(x, Stream())
    for hook in hooks:
        hook.remove()
    return seen, answer


def test_the_encoder_halves_space_in_all_rows_but_the_last_two_and_time_in_the_first_two():
    rows, answer = sizes(Encoder(CONFIG), torch.randn(1, 3, 9, 32, 32))
    assert rows == [(5, 16), (3, 8), (3, 4), (3, 4), (3, 4)]
    assert answer.shape == (1, 6, 3, 4, 4)  # a mean and a log-variance for each of 3 channels


def test_the_decoder_doubles_time_first_and_space_until_the_last_row():
    rows, answer = sizes(Decoder(CONFIG), torch.randn(1, 3, 3, 4, 4))
    assert rows == [(3, 4), (5, 8), (9, 16), (9, 32), (9, 32)]
    assert answer.shape == (1, 3, 9, 32, 32)


def test_a_chunk_is_the_first_of_its_stream_once():
    encoder, decoder, streams = Encoder(CONFIG), Decoder(CONFIG), (Stream(), Stream())
    assert [encoder(torch.randn(1, 3, n, 8, 8), streams[0]).shape[2] for n in (9, 8, 4)] == [3, 2, 1]
    assert [decoder(torch.randn(1, 3, n, 1, 1), streams[1]).shape[2] for n in (3, 2, 1)] == [9, 8, 4]


def test_every_norm_of_the_decoder_reads_the_latents_as_they_came():
    decoder, z, read = Decoder(CONFIG), torch.randn(1, 3, 3, 4, 4), []
    norms = [module for module in decoder.modules() if isinstance(module, SpatialNorm)]
    for norm in norms:
        norm.register_forward_pre_hook(lambda _, args: read.append(args[2]))
    decoder(z, Stream())
    assert len(read) == len(norms) == 1 + 2 * 10 and all(torch.equal(one, z) for one in read)


def test_the_released_vae_has_the_parameters_of_its_checkpoint():
    with torch.device("meta"):
        released = CausalVAE()
    counts = [sum(p.numel() for p in part.parameters()) for part in (released, released.encoder, released.decoder)]
    assert counts == [215_583_907, 92_215_456, 123_368_451]
