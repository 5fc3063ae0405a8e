import pytest
import torch
import torch.nn.functional as F

from cogkit.vae.spatial_norm import SpatialNorm
from cogkit.vae.stream import Stream


@torch.no_grad()
@pytest.mark.parametrize(
    ("frames", "latent_frames", "first"), [(9, 3, True), (3, 3, True), (8, 2, False), (2, 2, False)]
)
def test_convolving_the_latents_before_they_are_enlarged_changes_nothing(frames, latent_frames, first):
    torch.manual_seed(0)
    norm, stream = SpatialNorm(groups=2, latent_channels=4, channels=8), Stream()
    stream.first = first
    f, z = torch.randn(1, 8, frames, 12, 8), torch.randn(1, 4, latent_frames, 3, 2)
    each = (frames - first) // max(1, latent_frames - first)
    places = [0] * first + [first + k // each for k in range(frames - first)]
    large = F.interpolate(z[:, :, places], size=f.shape[2:])
    normed = F.group_norm(f, 2, norm.norm_layer.weight, norm.norm_layer.bias, 1e-6)
    wanted = normed * norm.conv_y.conv(large) + norm.conv_b.conv(large)
    torch.testing.assert_close(norm(f, stream, z), wanted, rtol=0, atol=1e-5)
