"""Every exercise of every lesson accepts its solution and refuses the wrong answers listed beside it."""

import importlib
import pkgutil

import pytest

import cogkit.lessons
from cogkit.teaching import exercises_of, unproven

LESSONS = [module.name for module in pkgutil.iter_modules(cogkit.lessons.__path__)]


@pytest.mark.parametrize("name", LESSONS)
def test_the_checks_of_a_lesson_are_proven(name, capsys):
    tasks = exercises_of(importlib.import_module(f"cogkit.lessons.{name}"))
    assert len(tasks) >= 3
    assert not unproven(tasks)
    assert all(task.hints for task in tasks)
