import pytest
import torch

from cogkit.training.vae import new_vae, reference_code
from cogkit.training.warm_start import start_as_linear_code

NANO = dict(block_out_channels=[32, 64, 64, 128], layers_per_block=1, norm_num_groups=16)


@pytest.fixture(scope="module")
def reference():
    return reference_code(clips=8)


def test_an_untrained_encoder_is_set_to_within_a_sixth_of_the_linear_code(reference):
    code, footage = reference
    torch.manual_seed(0)
    vae = new_vae(**NANO)
    left = start_as_linear_code(vae, code, footage[:5])
    assert left < 0.15
    with torch.no_grad():
        got, wanted = vae.encode(footage[6]).latent_dist.mode(), code.encode(footage[6])
    first_chunk = slice(0, 3)  # one GroupNorm, one chunk: the linear start is fitted to whole clips
    error = (got - wanted)[:, :, first_chunk].square().mean() / wanted[:, :, first_chunk].square().mean()
    assert error < 0.2


def test_an_encoder_with_the_wrong_groups_is_refused(reference):
    code, footage = reference
    with pytest.raises(ValueError, match="8 groups of 16 channels for 16 latent channels"):
        start_as_linear_code(new_vae(**NANO | {"norm_num_groups": 8}), code, footage[:1])
