import pytest

from cogkit.recording.points import UnknownPoint, all_points, choose, match_points


def test_patterns_choose_points_in_the_order_in_which_data_passes_them():
    assert [str(p) for p in match_points(("blocks.1.attn.[qz]", "temb"), 2)] == [
        "temb",
        "blocks.1.attn.q",
        "blocks.1.attn.z",
    ]
    assert len(match_points(("blocks.*.adaln*.gate.*",), 3)) == 3 * 2 * 2
    assert len(match_points(("*",), 2)) == len(all_points(2)) == len(set(all_points(2)))


def test_diffusers_name_of_the_blocks_is_an_alias():
    assert match_points(("transformer_blocks.0.attn.z",), 1) == match_points(("blocks.0.attn.z",), 1)


def test_a_pattern_that_matches_nothing_is_refused_even_beside_one_that_does():
    with pytest.raises(UnknownPoint, match="'blocks.7.attn.z'; nearest: blocks.[01].attn.z"):
        match_points(("temb", "blocks.7.attn.z"), 2)


@pytest.mark.parametrize(
    ("chosen", "found"),
    [("all", [0, 1, 2, 3]), (-1, [3]), ([2, 0], [0, 2]), (range(0, 4, 2), [0, 2]), (slice(1, None), [1, 2, 3])],
)
def test_choices_of_steps_layers_and_heads(chosen, found):
    assert choose("steps", chosen, 4) == found


@pytest.mark.parametrize(("chosen", "why"), [(4, "out of range"), ([], "chooses none"), ("some", "no choice")])
def test_choices_that_cannot_be_met_are_refused(chosen, why):
    with pytest.raises(UnknownPoint, match=f"steps=.*{why}"):
        choose("steps", chosen, 4)
