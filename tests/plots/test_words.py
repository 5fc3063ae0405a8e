import numpy as np
import pytest

import cogkit
from cogkit import Recipe
from cogkit.localisation.measures import auc
from cogkit.plots.figure import PlotError, png
from cogkit.plots.words import laid_over, word_map, word_video


def test_a_word_map_says_where_the_word_is_read_in_title_sentence_and_table(run, clip, numbers):
    picture = word_map(run, "hot", over=clip, show="share")
    assert picture.get_suptitle().startswith("A tenth of the patches holds 40 % of the map of “hot”")
    assert "“hot” is brightest at the top left at first, at the top centre at last" in picture.alt.replace(
        "in the middle", "at the top"
    )
    assert [row[:5] for row in numbers(picture)] == [
        ["hot", "0", "0.18", "0", "1"],
        ["hot", "1", "0.18", "1", "1"],
        ["hot", "2", "0.18", "2", "1"],
    ]
    assert len(picture.axes) == 2 + 1 and len(png(picture)) < 60_000


def test_rows_are_words_and_columns_are_the_frames_that_a_latent_frame_stands_for(run, clip):
    picture = word_map(run, ["hot", "even"], over=clip)
    assert [label.get_text() for label in picture.axes[0].get_xticklabels()] == ["frame 0", "frames 1-4", "frames 5-8"]
    shown = [image.get_array() for image in picture.axes[0].images]
    assert all((image == clip[k]).all() for image, k in zip(shown, (0, 3, 7), strict=True))
    assert [axes.get_ylabel().split("\n")[0] for axes in picture.axes[:3]] == ["the clip", "hot", "even"]


def test_a_map_of_ones_own_can_be_drawn_without_a_run_and_without_a_clip(run):
    picture = word_map(run.word("hot"), "mine")
    assert "“mine”" in picture.get_suptitle() and len(picture.axes) == 1 + 1


def test_what_run_word_is_told_is_what_is_drawn(run, clip, numbers):
    assert numbers(word_map(run, "hot", over=clip, show="lift"))[0][2] == "9"
    with pytest.raises(cogkit.recording.runs.RunError, match="nearest: hot"):
        word_map(run, "hat", over=clip)


def test_the_colour_bar_names_the_scale_of_the_recipe_that_drew_the_map(run, clip):
    share = "share of the attention on the prompt"
    for recipe, label in (
        ({}, "attention (probability)"),
        ({"show": "share"}, share),
        ({"show": Recipe("lift")}, "times uniform"),
    ):
        assert word_map(run, "hot", over=clip, **recipe).axes[-1].get_xlabel() == label
    assert word_map(run.word("hot").values, "hot").axes[-1].get_xlabel() == "attention"


def test_an_object_is_outlined_and_each_map_has_its_score_beside_it(run, clip):
    inside = np.zeros((3, 4, 4), bool)
    inside[[0, 1, 2], 1, [0, 1, 2]] = True
    picture = word_map(run, ["even", "hot"], over=clip, show="share", region=inside, score=auc)
    assert [axes.get_ylabel().split("\n")[-1] for axes in picture.axes[1:3]] == ["AUC 0.50", "AUC 1.00"]
    assert picture.get_suptitle() == "The map of “hot” finds the object best: AUC 1.00"
    assert picture.alt.endswith("Against the object: even AUC 0.50 and hot AUC 1.00.")
    for row in picture.axes[:3]:
        borders = [border.get_paths()[0].get_extents() for border in row.collections]
        for k, border in enumerate(borders):  # patch (y 1, x k) of picture k
            found, size = np.array([border.x0, border.x1, border.y0, border.y1]), 0.96 / 4
            assert np.allclose(found, [k + k * size, k + (k + 1) * size, size, 2 * size], atol=0.02)
        assert len(borders) == 3


def test_a_region_of_another_grid_is_refused(run):
    with pytest.raises(PlotError, match=r"region has shape .3, 8, 8.; the maps have .3, 4, 4."):
        word_map(run, "hot", region=np.ones((3, 8, 8), bool))
    with pytest.raises(PlotError, match=r"region has shape \(\); the maps have"):
        word_map(run, "hot", score=auc)


def test_a_map_with_too_many_axes_is_refused_with_the_way_out(run):
    with pytest.raises(PlotError, match="has axes .'layer'.*choose one of the others with .isel"):
        word_map(run.word("hot").expand_dims("layer"), "hot")


def test_the_video_has_the_clip_and_beside_it_the_map_of_each_frame(run, clip):
    video = word_video(run, "hot", clip)
    assert video.shape == (9, 256, 512, 3) and video.dtype == np.uint8
    assert (video[:, ::8, :256:8] == clip).all()
    heat = video[:, 8 * 8 : 16 * 8, 256:, 0].astype(int)  # the row of patches y = 1
    brightest = [int(heat[k].mean(0).reshape(4, 64).mean(1).argmax()) for k in range(9)]
    assert brightest == [0, 1, 1, 1, 1, 2, 2, 2, 2]


def test_patches_stay_squares_over_a_grey_frame(clip):
    heat = np.zeros((4, 4))
    heat[2, 3] = 1
    found = laid_over(clip[0], heat)
    assert found.shape == clip[0].shape and len(np.unique(found[16:24, 24:32].reshape(-1, 3), axis=0)) == 1
    assert (found[16:24, 24:32].sum(-1) > found[0:8, 24:32].sum(-1)).all()
