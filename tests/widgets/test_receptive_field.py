"""The frame that is dragged touches what the rule of the layers says, and the words beside it count it."""

import numpy as np
import pytest

from cogkit.reach import decoder_reach, encoder_reach
from cogkit.shapes import SizeError
from cogkit.widgets.receptive_field import ReceptiveFieldExplorer, look


def rows(figure):
    return {line[:14].strip(): line[14:].split() for line in figure.table.splitlines()[1:]}


def test_a_changed_frame_of_the_first_chunk_moves_earlier_frames_too_and_is_called_not_causal():
    figure, readout = look(8, forwards=True, norms=True)
    assert rows(figure)["latent frames"] == ["0", "to", "12", "13", "13"]
    assert "Earlier frames that come out different: 8, so this is not causal" in readout


def test_with_frozen_norms_a_changed_frame_moves_its_own_group_of_four_and_later_ones():
    figure, readout = look(8, forwards=True, norms=False)
    assert rows(figure)["latent frames"][:3] == ["2", "to", "12"]
    assert rows(figure)["frames out"][:3] == ["5", "to", "48"]
    assert "different: 3, so" in readout  # 5, 6 and 7 share its latent frame


def test_backwards_is_the_transpose_of_forwards():
    into, back = encoder_reach(17), decoder_reach(5)
    for frame in (0, 8, 9, 16):
        figure, _ = look(frame, forwards=False, norms=True, frames=17)
        through = np.flatnonzero(into[back[frame]].any(0))
        assert rows(figure)["frames in"][:3] == [str(through[0]), "to", str(through[-1])]


def test_the_slider_ends_with_the_clip_and_only_counts_that_survive_diffusers_are_taken():
    explorer = ReceptiveFieldExplorer(17)
    assert explorer.controls["frame"].max == 16
    explorer.controls["frame"].value = 9
    assert "Frame 9 lies in chunk 1 and latent frame 3" in explorer.view.value
    with pytest.raises(SizeError, match="use 9 or 17"):
        ReceptiveFieldExplorer(13)
