"""What a lesson is made of: predictions, claims that are checked, exercises that take your answer.

Printed text is the same on every machine: a claim and a tick. Measured numbers go into the comparison, not into the
text, and a claim that is false stops the notebook with both numbers.
"""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

MISSING = object()


class CheckError(AssertionError):
    """A claim that is not true, with what was measured and what it had to be."""


def check(claim: str, got: Any, *, equals: Any = MISSING, below: Any = None, above: Any = None, within: Any = None):
    """Print the claim with a tick, or raise CheckError.

    `equals` compares exactly (arrays and tensors by shape and every element; with `within`, up to that absolute
    difference). `below` and `above` are strict and hold for every element. With none of them, `got` must be True.
    """
    problem = _problem(got, equals, below, above, within)
    if problem:
        raise CheckError(f"{claim}: {problem}")
    print(f"✓ {claim}")


def _problem(got: Any, equals: Any, below: Any, above: Any, within: Any) -> str | None:
    if equals is MISSING and below is None and above is None:
        return None if got is True or (isinstance(got, np.bool_) and got) else f"got {_show(got)}, wanted True"
    values = _array(got)
    if equals is not MISSING:
        wanted = _array(equals)
        if values.shape != wanted.shape:
            return f"got shape {values.shape}, wanted {wanted.shape}"
        if within is None and not np.array_equal(values, wanted):
            return f"got {_show(got)}, wanted {_show(equals)}"
        if within is not None and not (np.abs(values - wanted) <= within).all():
            return f"off by {np.abs(values - wanted).max():.3g}, allowed are {within:g}"
    if below is not None and not (values < below).all():
        return f"got {values.max():.4g}, wanted below {below:g}"
    if above is not None and not (values > above).all():
        return f"got {values.min():.4g}, wanted above {above:g}"
    return None


def _array(value: Any) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        value = value.detach().to("cpu", torch.float64 if value.is_floating_point() else value.dtype).numpy()
    return np.asarray(value)


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{type(value).__name__} of shape {tuple(_array(value).shape)}"


@dataclass(frozen=True)
class Prediction:
    question: str
    guess: Any

    def reveal(self, answer: Any, why: dict[Any, str] | None = None) -> None:
        """Say whether the guess was right; `why` explains wrong guesses that people often make."""
        if self.guess == answer:
            print(f"✓ {answer}, as predicted")
        else:
            reason = (why or {}).get(self.guess, "look at what you assumed")
            print(f"✗ you said {self.guess}, it is {answer}: {reason}")


def predict(question: str, guess: Any) -> Prediction:
    """Commit to an answer before the next cell measures it. Change `guess` to yours."""
    print(f"{question}  your guess: {guess}")
    return Prediction(question, guess)


@dataclass(frozen=True)
class Exercise:
    """A function to write. `test` raises CheckError for a wrong one; `wrong` holds answers that it must refuse."""

    name: str
    solution: Callable
    test: Callable[[Callable], None]
    hints: tuple[str, ...]
    wrong: tuple[Callable, ...] = ()

    def refusal(self, answer: Callable) -> str | None:
        """Why the answer is wrong, None if it is right. Raises NotImplementedError if it is not written yet."""
        try:
            self.test(answer)
        except NotImplementedError:
            raise
        except CheckError as error:
            return str(error)
        except Exception as error:  # an answer may fail in any way, most often by returning nothing
            return f"with your function the test ends in {type(error).__name__}: {error}"


def exercise(task: Exercise) -> Callable[[Callable], Callable]:
    """Decorate your function. Yours is used if it is right; a stub that raises NotImplementedError gets the solution.

    A wrong answer raises CheckError with what was wrong and the hints.
    """

    def judge(answer: Callable) -> Callable:
        try:
            refusal = task.refusal(answer)
        except NotImplementedError:
            print(f"○ {task.name}: not written yet, going on with the solution")
            return task.solution
        if refusal is not None:
            hints = "\n".join(f"hint {n}: {hint}" for n, hint in enumerate(task.hints, 1))
            raise CheckError(f"{task.name}: not yet. {refusal}\n{hints}")
        print(f"✓ {task.name}: yours passes")
        return answer

    return judge


def unproven(tasks: Iterable[Exercise]) -> list[str]:
    """What is wrong with exercises: solutions that their test refuses, wrong answers that it lets pass."""
    problems = []
    for task in tasks:
        if task.refusal(task.solution) is not None:
            problems.append(f"{task.name}: the solution is refused")
        if not task.wrong:
            problems.append(f"{task.name}: no wrong answer is listed")
        problems += [f"{task.name}: accepts {wrong.__name__}" for wrong in task.wrong if task.refusal(wrong) is None]
    return problems


def exercises_of(lesson) -> list[Exercise]:
    """All exercises that a module of cogkit.lessons defines, in the order of their names."""
    return [value for _, value in inspect.getmembers(lesson) if isinstance(value, Exercise)]
