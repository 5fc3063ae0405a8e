"""Functions that differ have other labels, in this process and in the next; the same have the same."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from cogkit.interventions.labels import label_of

ROOT = Path(__file__).parents[2]
FACTOR = 2.0


def scaled(number):
    return lambda x: x * number


def shifted(x, by=1.0, *, times=1.0):
    return x * times + by


def by_a_global(x):
    return x * FACTOR


def through_another(x):
    return by_a_global(x) + 1


def countdown(x, n=3):
    return countdown(x * FACTOR, n - 1) if n else x


def with_default(by):
    return lambda x, by=by: x + by


def with_keyword(by):
    return lambda x, *, by=by: x + by


PAIRS = {  # made twice the same, and once otherwise
    "a closed-over number": (lambda: scaled(1), lambda: scaled(2)),
    "a number of another type": (lambda: scaled(1), lambda: scaled(1.0)),
    "a closed-over tensor": (lambda: scaled(torch.ones(9)), lambda: scaled(torch.ones(9) * 2)),
    "a tensor of no axes": (lambda: scaled(torch.tensor(1.0)), lambda: scaled(torch.tensor(2.0))),
    "a tensor's shape": (lambda: scaled(torch.ones(4, 1)), lambda: scaled(torch.ones(1, 4))),
    "a half-precision tensor": (
        lambda: scaled(torch.ones(2, dtype=torch.bfloat16)),
        lambda: scaled(torch.zeros(2, dtype=torch.bfloat16)),
    ),
    "a long array": (lambda: scaled(np.arange(5000)), lambda: scaled(np.arange(5000) % 4999)),
    "a dictionary": (lambda: scaled({"a": [1, 2]}), lambda: scaled({"a": [1, 3]})),
    "a default": (lambda: with_default(1), lambda: with_default(2)),
    "a keyword's default": (lambda: with_keyword(1), lambda: with_keyword(2)),
    "an argument of a partial": (lambda: partial(shifted, by=1), lambda: partial(shifted, by=2)),
    "where a partial's argument goes": (lambda: partial(shifted, by=1), lambda: partial(shifted, times=1)),
    "a method's name": (lambda: lambda x: x.sin(), lambda: lambda x: x.cos()),
    "a function within": (lambda: lambda x: [y * 2 for y in x], lambda: lambda x: [y * 3 for y in x]),
    "a function of the library": (lambda: torch.sin, lambda: torch.cos),
    "a closed-over function": (lambda: scaled(scaled(1)), lambda: scaled(scaled(2))),
    "a library's function called": (
        lambda: lambda x: torch.nn.functional.softmax(x, -1),
        lambda: lambda x: torch.nn.functional.softmax(x, -2),
    ),
}


@pytest.mark.parametrize(("make", "other"), PAIRS.values(), ids=PAIRS)
def test_another_number_anywhere_is_another_label(make, other):
    assert label_of(make()) == label_of(make()) != label_of(other())


@pytest.mark.parametrize("function", [by_a_global, through_another, countdown], ids=lambda f: f.__name__)
def test_a_number_of_the_same_file_counts_as_it_is_now(function, monkeypatch):
    before = label_of(function)
    assert before == label_of(function)
    monkeypatch.setitem(globals(), "FACTOR", 3.0)
    assert label_of(function) != before


def test_another_process_gives_the_same_label():
    code = "from cogkit.interventions.labels import label_of; "
    code += "print(label_of(lambda x: [y * 2 for y in x if y not in {'a', 'b', 'c'}]))"
    found = {
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout for _ in "ab"
    }
    assert len(found) == 1 and len(found.pop().strip()) == 8


@pytest.mark.parametrize(
    "thing", [object(), torch.nn.Linear(2, 2), [np.array([object()])]], ids=["object", "module", "objects"]
)
def test_what_cannot_be_told_apart_has_no_label(thing):
    assert label_of(scaled(thing)) is None
