import torch

from cogkit.training.linear_code import fit_linear_code, from_blocks, to_blocks


def video(frames=9, seed=0):
    return torch.rand(2, 3, frames, 16, 24, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_cutting_into_blocks_and_back_is_exact():
    clip = video()
    blocks, grid = to_blocks(clip)
    assert blocks.shape == (2 * 3 * 2 * 3, 768)
    torch.testing.assert_close(from_blocks(blocks, **grid), clip)


def test_the_code_is_white_over_the_footage_it_was_fitted_to():
    clips = [video(seed=k) for k in range(40)]
    coded = torch.cat([fit_linear_code(clips).encode(clip).transpose(0, 1).flatten(1) for clip in clips], dim=1)
    torch.testing.assert_close(coded @ coded.T / coded.shape[1], torch.eye(16), atol=1e-3, rtol=0)


def test_no_other_16_directions_keep_more():
    clips = [video(seed=k) for k in range(10)]
    code = fit_linear_code(clips)
    best = sum((code.decode(code.encode(clip)) - clip).square().sum() for clip in clips)
    turned = code._replace(
        directions=torch.linalg.qr(code.directions + 0.1 * torch.randn(768, 16))[0], scale=torch.ones(16)
    )
    assert best < sum((turned.decode(turned.encode(clip)) - clip).square().sum() for clip in clips)
