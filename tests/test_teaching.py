import re

import numpy as np
import pytest
import torch

from cogkit.teaching import CheckError, Exercise, check, exercise, predict, unproven


def test_a_true_claim_prints_itself_and_a_tick_and_no_number(capsys):
    check("the sum is small", 0.1234567, below=1)
    check("five is five", 5, equals=5)
    check("all are positive", torch.tensor([1.0, 2.0]), above=0)
    check("it is true", torch.equal(torch.ones(2), torch.ones(2)))
    check("nearly the same", np.array([1.0]), equals=[1.05], within=0.1)
    out = capsys.readouterr().out
    assert out.splitlines()[0] == "✓ the sum is small" and not re.search(r"\d", out)


@pytest.mark.parametrize(
    ("got", "rule", "says"),
    [
        (2.0, dict(below=1), "got 2, wanted below 1"),
        (torch.tensor([0.5, -1.0]), dict(above=0), "got -1, wanted above 0"),
        (float("nan"), dict(below=1), "wanted below 1"),
        (12, dict(equals=13), "got 12, wanted 13"),
        (torch.zeros(2, 3), dict(equals=torch.zeros(3, 2)), "got shape (2, 3), wanted (3, 2)"),
        (1.0, dict(equals=1.5, within=0.1), "off by 0.5, allowed are 0.1"),
        (False, {}, "got False, wanted True"),
        (1, {}, "got 1, wanted True"),
    ],
)
def test_a_false_claim_raises_with_both_numbers(got, rule, says):
    with pytest.raises(CheckError, match=re.escape(f"the claim: {says}") if "nan" not in str(got) else says):
        check("the claim", got, **rule)


def test_a_prediction_is_answered_with_the_reason_for_a_common_mistake(capsys):
    predict("How many?", 13).reveal(13)
    predict("How many?", 12).reveal(13, why={12: "frame 0 stands alone"})
    out = capsys.readouterr().out
    assert "✓ 13, as predicted" in out and "✗ you said 12, it is 13: frame 0 stands alone" in out


def doubled(x):
    return 2 * x


def squared(x):
    return x * x


TASK = Exercise("double it", doubled, lambda f: check("twice three is six", f(3), equals=6), ("add it to itself",))


def test_an_unwritten_exercise_goes_on_with_the_solution(capsys):
    @exercise(TASK)
    def mine(x):
        raise NotImplementedError

    assert mine(4) == 8 and "not written yet" in capsys.readouterr().out


def test_a_right_answer_is_used_and_a_wrong_one_gets_the_hints(capsys):
    @exercise(TASK)
    def mine(x):
        return x + x

    assert mine.__name__ == "mine" and "yours passes" in capsys.readouterr().out
    with pytest.raises(CheckError, match="(?s)got 9, wanted 6.*hint 1: add it to itself"):
        exercise(TASK)(squared)


@pytest.mark.parametrize(
    ("answer", "problem"), [(lambda x: None, "got None, wanted 6"), (lambda x: x.shape, "AttributeError: 'int' object")]
)
def test_an_answer_that_returns_nothing_or_fails_gets_the_hints_too(answer, problem):
    with pytest.raises(CheckError, match=f"(?s)double it: not yet. .*{problem}.*hint 1: add it to itself"):
        exercise(TASK)(answer)


def test_an_exercise_that_would_accept_a_wrong_answer_is_reported():
    lax = Exercise("lax", doubled, lambda f: check("two stays four", f(2), equals=4), (), wrong=(squared,))
    refusing = Exercise("refusing", doubled, lambda f: check("never", False), (), wrong=(squared,))
    assert unproven([lax]) == ["lax: accepts squared"]
    assert unproven([refusing]) == ["refusing: the solution is refused"]
    assert unproven([TASK]) == ["double it: no wrong answer is listed"]
