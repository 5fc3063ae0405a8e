import numpy as np
import pytest
import torch

from cogkit.preview import PreviewError, block_colours, fit_preview


@pytest.fixture
def clip():
    return np.random.default_rng(0).integers(0, 255, (9, 16, 24, 3), dtype=np.uint8)


def test_a_block_is_4x8x8_pixels_and_frame_0_is_alone(clip):
    found = block_colours(clip)
    assert found.shape == (3, 2, 3, 3)
    np.testing.assert_allclose(found[0, 1, 2] * 255, clip[0, 8:, 16:].mean((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(found[2, 0, 1] * 255, clip[5:9, :8, 8:16].mean((0, 1, 2)), rtol=1e-5)


def test_the_fit_finds_the_linear_map_that_made_the_latents(clip):
    colours = block_colours(clip)
    mixed = colours @ torch.randn(3, 16, generator=torch.Generator().manual_seed(0)) + 0.3
    preview = fit_preview(mixed.permute(0, 3, 1, 2), clip)
    assert np.abs(preview(mixed.permute(0, 3, 1, 2)).astype(int) - (colours * 255).numpy()).max() < 1


def test_no_other_linear_map_is_closer(clip):
    """Residuals of a least-squares fit stand at right angles to every channel, and their mean is 0."""
    latents = torch.randn(3, 16, 2, 3, generator=torch.Generator().manual_seed(0))[:, :4]
    preview = fit_preview(latents, clip)
    inputs = latents.permute(0, 2, 3, 1).reshape(-1, 4)
    left = block_colours(clip).reshape(-1, 3) - inputs @ preview.weight - preview.bias
    assert (inputs.T @ left).abs().max() < 1e-4 and left.mean(0).abs().max() < 1e-5


def test_latents_of_another_clip_are_refused(clip):
    with pytest.raises(PreviewError, match="latents of 2x2x3 do not stand for frames of shape"):
        fit_preview(torch.zeros(2, 16, 2, 3), clip)
