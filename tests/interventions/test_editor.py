import pytest

import cogkit
from cogkit.interventions.editor import InterventionError, Where, near


def test_where_says_only_what_it_bounds():
    assert str(Where()) == "branch=both"
    assert str(Where(steps=[1], branch="cond", heads=0, tokens=cogkit.region(words="red"))) == (
        "steps=[1], branch=cond, heads=0, tokens=region(words=['red'])"
    )


def test_an_intervention_always_says_the_same_of_itself():
    made = [cogkit.ablate("blocks.*.attn.z", heads=[1], tokens=cogkit.region(frames=slice(0, 2))) for _ in range(2)]
    assert str(made[0]) == str(made[1]) != str(cogkit.ablate("blocks.*.attn.z", heads=[0]))
    assert str(cogkit.knock_out("red")) == str(cogkit.reweight({"red": 0})) != str(cogkit.knock_out("red", layers=0))
    assert str(cogkit.swap_prompt("a")) != str(cogkit.swap_prompt("a", steps=0))
    assert str(cogkit.modulate("temb", times=2)) != str(cogkit.modulate("temb", times=3))


@pytest.mark.parametrize(("value", "hit"), [("zeros", "zero"), ("nothing like it", "zero, mean, resample")])
def test_a_name_that_does_not_exist_is_answered_with_its_nearest(value, hit):
    assert near("mode", value, ("zero", "mean", "resample")) == f"mode={value!r} is unknown; nearest: {hit}"


def test_a_branch_that_does_not_exist_is_refused_at_once():
    with pytest.raises(InterventionError, match="branch='unconditional' is unknown; nearest: uncond"):
        cogkit.ablate("temb", branch="unconditional")
