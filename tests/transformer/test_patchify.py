import pytest
import torch

from cogkit.transformer.patchify import PatchError, patch_grid, patchify, unpatchify


@pytest.mark.parametrize("dt", [1, 2])
def test_unpatchify_is_the_exact_inverse_of_patchify(dt):
    latents = torch.randn(2, 4, 3, 6, 10)
    assert torch.equal(unpatchify(patchify(latents, dt), patch_grid(4, 6, 10, dt), dt), latents)


def test_tokens_run_along_x_first_then_y_then_time():
    latents = torch.zeros(1, 2, 1, 4, 6)
    latents[0, 1, 0, 2:, 2:4] = 1  # second frame, second row of patches, second column
    (at,) = patchify(latents)[0].any(-1).nonzero(as_tuple=True)
    assert at.tolist() == [1 * (2 * 3) + 1 * 3 + 1]


def test_inside_a_token_the_channel_is_slowest_then_time_then_y_then_x():
    latents = torch.arange(2 * 3 * 2 * 2.0).view(1, 2, 3, 2, 2)  # time, channel, y, x
    expected = [latents[0, t, c, y, x] for c in range(3) for t in range(2) for y in range(2) for x in range(2)]
    assert patchify(latents, dt=2)[0, 0].tolist() == expected


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((3, 4, 4), "axis t=3 is not a multiple of its patch size 2; crop it to 2 or pad it to 4"),
        ((4, 7, 4), "axis h=7 .* crop it to 6 or pad it to 8"),
        ((4, 4, 1), "axis w=1 .* pad it to 2"),
    ],
)
def test_latents_that_would_be_cut_through_a_patch_are_refused(size, message):
    t, h, w = size
    with pytest.raises(PatchError, match=message):
        patchify(torch.zeros(1, t, 4, h, w), dt=2)
