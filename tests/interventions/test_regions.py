import numpy as np
import pytest
import torch
import xarray as xr

from cogkit.interventions.regions import RegionError, check_words, region
from cogkit.recording.layout import Layout
from cogkit.recording.points import UnknownPoint
from cogkit.recording.tokens import UnknownWord, text_slots

LAYOUT = Layout(1, ("cond",), 12, 3, 2, 4, (3, 16, 4, 8), (999,))


@pytest.fixture(scope="module")
def slots(pipe):
    return text_slots(pipe.tokenizer, "a red circle, red", 12)


def test_a_region_is_a_part_of_the_grid_and_axes_left_out_are_whole():
    inside = region(frames=[0, -1], y=1, x=slice(1, 3)).video(LAYOUT)
    wanted = np.zeros((3, 2, 4), bool)
    wanted[[0, 2], 1, 1:3] = True
    assert (inside == wanted).all()
    assert region(frames="all").video(LAYOUT).all() and region(y=0).video(LAYOUT).sum() == 12
    assert not region(frames=0).text(None, 12).any()


def test_a_mask_is_a_region_and_can_be_cut_down_by_the_axes():
    mask = xr.DataArray(np.arange(24).reshape(3, 2, 4) % 3 == 0, dims=("frame", "y", "x"))
    assert (region(mask=mask).video(LAYOUT) == mask.values).all()
    assert (region(mask=mask, frames=1).video(LAYOUT) == mask.values * (np.arange(3) == 1)[:, None, None]).all()


def test_words_and_kinds_of_slots_are_regions_too(slots):
    chosen = region(words=["red", "<eos>"])
    assert np.flatnonzero(chosen.text(slots, 12)).tolist() == [1, 4, 5]
    assert not chosen.video(LAYOUT).any()
    both = region(frames=1, words="<pad>")
    assert both.text(slots, 12).sum() == 6 and both.video(LAYOUT).sum() == 8


def test_a_word_need_be_in_one_text_only(slots, pipe):
    other = text_slots(pipe.tokenizer, "a blue star", 12)
    check_words(["red", "star"], [slots, other])
    assert not region(words="star").text(slots, 12).any()
    with pytest.raises(UnknownWord, match="no word 'stra'; nearest: star"):
        check_words(["stra"], [other])
    with pytest.raises(UnknownWord, match=r"words have no slots; give intervene\(prompt=...\)"):
        check_words(["red"], [])


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: region(), "chooses nothing"),
        (lambda: region(mask=np.zeros((3, 2, 4), bool)), "true nowhere; lower the threshold"),
        (lambda: region(mask=np.ones((3, 2, 4))), "float64 of shape .* give booleans"),
        (lambda: region(mask=torch.ones(2, 4, dtype=torch.bool)), "shape .2, 4.; give booleans over"),
        (lambda: region(mask=np.ones((3, 4, 4), bool)).video(LAYOUT), r"\(3, 4, 4\); .*grid is \(3, 2, 4\)"),
    ],
)
def test_a_region_that_chooses_nothing_or_does_not_fit_is_refused(make, why):
    with pytest.raises(RegionError, match=why):
        make()
    with pytest.raises(UnknownPoint, match="frames=3 is out of range; there are 3: 0 to 2"):
        region(frames=3).video(LAYOUT)


def test_regions_say_what_they_are_the_same_way_each_time():
    mask = np.ones((3, 2, 4), bool)
    assert str(region(frames=0, words="red")) == "region(frames=0, y=all, x=all, words=['red'])"
    assert str(region(mask=mask)) == str(region(mask=mask.copy())) != str(region(mask=mask & (np.arange(4) > 1)))
