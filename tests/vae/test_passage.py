import pytest
import torch

from cogkit.shapes import SizeError
from cogkit.vae.passage import cut


def lengths(total, pieces, size=8, as_released=False, known=None):
    x = torch.arange(float(total)).reshape(1, 1, total, 1, 1)
    chunks = list(cut(iter(x.split(pieces, dim=2)), size, known, as_released))
    assert torch.equal(torch.cat(chunks, dim=2), x)
    return [chunk.shape[2] for chunk in chunks]


@pytest.mark.parametrize("pieces", [1, 5, 100])
def test_however_a_video_arrives_frame_0_comes_with_the_first_chunk(pieces):
    assert lengths(25, pieces) == [9, 8, 8] and lengths(13, pieces) == [9, 4] and lengths(1, pieces) == [1]


def test_as_released_the_remainder_comes_first_so_the_length_must_be_known():
    assert lengths(13, 5, as_released=True, known=13) == [13]
    assert lengths(25, 5, as_released=True, known=25) == [9, 8, 8]
    with pytest.raises(SizeError, match="pass its length"):
        lengths(13, 5, as_released=True)
