from types import SimpleNamespace

import pytest
import torch

from cogkit.transformer.rope import (
    PositionError,
    fit_and_centre,
    positions,
    rotary_embedding,
    rotary_table,
    rotate,
    turns,
)

CONFIG = dict(attention_head_dim=16, patch_size=2, patch_size_t=None, sample_height=60, sample_width=90)


def config(**changes):
    return SimpleNamespace(**CONFIG | changes)


def rotated(x, axes, text=0):
    """x is one vector; here it stands at every place of the grid."""
    rotary = rotary_table(axes, len(x))
    return rotate(x.expand(1, 1, text + len(rotary[0]), -1), turns(rotary, text))[0, 0]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_attention_scores_depend_on_token_distance_only(axis):
    q, k = torch.randn(2, 32)
    axes = [torch.zeros(1)] * 3
    axes[axis] = torch.arange(12.0)
    scores = rotated(q, axes) @ rotated(k, axes).T
    for distance in range(-11, 12):
        along = scores.diagonal(distance)
        torch.testing.assert_close(along, along[:1].expand_as(along), atol=1e-4, rtol=1e-4)
    assert scores[0].std() > 0.01  # and they do depend on it


def test_turning_keeps_the_length_of_a_vector():
    x = torch.randn(32)
    lengths = rotated(x, [torch.arange(3.0), torch.arange(4.0), torch.arange(5.0)]).norm(dim=-1)
    torch.testing.assert_close(lengths, x.norm().expand_as(lengths))


def test_text_is_not_turned_and_video_is():
    x = torch.randn(16)
    out = rotated(x, [torch.arange(1.0, 3.0)] * 3, text=4)
    assert torch.equal(out[:4], x.expand(4, -1)) and (out[4:] != x).any(-1).all()


def test_time_turns_the_first_quarter_of_the_channels_then_come_y_and_x():
    cos, _ = rotary_table(positions((2, 2, 2), None), 32)
    turned = (cos != 1).view(2, 2, 2, 32)
    assert turned[1, 0, 0].nonzero().flatten().tolist() == list(range(8))
    assert turned[0, 1, 0].nonzero().flatten().tolist() == list(range(8, 20))
    assert turned[0, 0, 1].nonzero().flatten().tolist() == list(range(20, 32))


def test_the_trained_size_is_counted_patch_by_patch():
    time, y, x = positions((13, 30, 45), (30, 45))
    assert [time.tolist(), y.tolist(), x.tolist()] == [list(range(13)), list(range(30)), list(range(45))]


def test_another_size_is_fitted_into_the_trained_grid_and_centred():
    assert fit_and_centre((30, 53), (30, 45)) == ((2, 0), (27, 45))  # 480 x 848 pixels: too wide, so rows are free
    assert fit_and_centre((45, 30), (30, 45)) == ((0, 12), (30, 32))  # 720 x 480: too tall
    _, y, x = positions((1, 45, 30), (30, 45))
    torch.testing.assert_close(y.diff(), torch.full((44,), 30 / 45))
    torch.testing.assert_close(x.diff(), torch.full((29,), 20 / 30))
    assert x[0] == 12


def test_the_reference_stops_short_when_the_box_does_not_begin_at_zero():
    _, _, ours = positions((1, 45, 30), (30, 45))
    _, _, released = positions((1, 45, 30), (30, 45), as_released=True)
    torch.testing.assert_close(ours[-1], torch.tensor(12 + 20 * 29 / 30))
    torch.testing.assert_close(released[-1], torch.tensor(32 * 29 / 30))
    assert released[-1] < ours[-1]


def test_1_5_counts_on_beyond_its_table_where_the_reference_fails():
    tall = config(patch_size_t=2, sample_height=96, sample_width=170)
    cos, _ = rotary_embedding(tall, 2, 170, 96)
    assert torch.equal(cos, rotary_table([torch.arange(1.0), torch.arange(85.0), torch.arange(48.0)], 16)[0])
    with pytest.raises(PositionError, match=r"85 x 48 patches is larger than the 48 x 85 .* as_released=False"):
        rotary_embedding(tall, 2, 170, 96, as_released=True)
