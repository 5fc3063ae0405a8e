"""The session's own guard (conftest.py of the project) refuses a notebook that takes too long."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

spec = importlib.util.spec_from_file_location("budget", Path(__file__).parents[2] / "conftest.py")
budget = importlib.util.module_from_spec(spec)
spec.loader.exec_module(budget)


def session_after(*cells):
    guard, session = budget.NotebookBudget(), SimpleNamespace(exitstatus=0)
    for nodeid, duration in cells:
        guard.pytest_runtest_logreport(SimpleNamespace(nodeid=nodeid, duration=duration))
    guard.pytest_sessionfinish(session)
    return session.exitstatus


MOST = budget.NotebookBudget().most


def test_a_session_fails_when_the_cells_of_one_notebook_take_too_long_together():
    assert session_after(("a.ipynb::Cell 0", MOST / 2), ("a.ipynb::Cell 1", MOST / 2 + 1)) == 1


def test_other_notebooks_and_other_tests_do_not_count():
    assert session_after(("a.ipynb::Cell 0", MOST - 1), ("b.ipynb::Cell 0", MOST - 1), ("a.py::test", MOST + 1)) == 0


def test_a_slower_machine_is_given_more_time_and_a_faster_one_no_less(monkeypatch):
    given = {}
    for speed in (budget.SPEED / 2, budget.SPEED, 10 * budget.SPEED):
        monkeypatch.setattr(budget, "speed_here", lambda speed=speed: speed)
        given[speed] = budget.NotebookBudget().most
    usual = budget.BUDGET * budget.BESIDE_OTHER_TESTS
    assert list(given.values()) == [2 * usual, usual, usual]
