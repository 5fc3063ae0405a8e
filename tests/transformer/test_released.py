import pytest
import torch

from cogkit.transformer.released import RELEASED
from cogkit.transformer.transformer import ExpertTransformer

PARAMETERS = {  # of the files on the hub
    "CogVideoX-2b": 1_693_783_872,
    "CogVideoX-5b": 5_570_283_072,
    "CogVideoX-5b-I2V": 5_570_479_680,
    "CogVideoX1.5-5B": 5_570_676_352,
    "CogVideoX1.5-5B-I2V": 5_571_594_880,
}


@pytest.mark.parametrize("name", RELEASED)
def test_every_released_model_has_the_parameters_of_its_checkpoint(name):
    with torch.device("meta"):
        model = ExpertTransformer(**RELEASED[name])
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name]


def test_the_learned_positions_of_5b_i2v_are_stored_as_a_buffer_and_the_sines_of_2b_are_not_stored():
    with torch.device("meta"):
        i2v, t2v = (
            ExpertTransformer(**RELEASED[name] | {"num_layers": 1}) for name in ("CogVideoX-5b-I2V", "CogVideoX-2b")
        )
    assert i2v.state_dict()["patch_embed.pos_embedding"].numel() == 54_607_872
    assert "patch_embed.pos_embedding" not in t2v.state_dict()
    assert t2v.patch_embed.pos_embedding.shape == (1, 226 + 13 * 30 * 45, 1920)


def test_a_fifth_of_the_2b_and_a_seventh_of_the_5b_is_modulation():
    for name, share in (("CogVideoX-2b", 0.209), ("CogVideoX-5b", 0.143)):
        with torch.device("meta"):
            model = ExpertTransformer(**RELEASED[name])
        modulation = sum(
            p.numel() for b in model.transformer_blocks for n in (b.norm1, b.norm2) for p in n.linear.parameters()
        )
        assert modulation / PARAMETERS[name] == pytest.approx(share, abs=5e-4)
