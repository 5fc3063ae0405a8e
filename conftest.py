"""Notebooks must not outgrow their reader's patience: a test session in which one takes too long has failed."""

import functools
import time
from collections import Counter

import numpy as np

BUDGET = 60.0  # seconds from the first cell to the last, on two idle cores like these:
SPEED = 120.0  # GFLOP/s of one of them, multiplying matrices
BESIDE_OTHER_TESTS = 2.0  # times slower: on one thread, the other one busy


@functools.cache
def speed_here(side: int = 1024) -> float:
    """GFLOP/s, the best of some tries: a slower machine is given more time, a busy one is not."""
    matrix, best = np.ones((side, side), np.float32), float("inf")
    for _ in range(10):
        since = time.perf_counter()
        matrix @ matrix
        best = min(best, time.perf_counter() - since)
    return 2e-9 * side**3 / best


def pytest_configure(config):
    config.pluginmanager.register(NotebookBudget(hasattr(config, "workerinput")), "notebook-budget")


class NotebookBudget:
    """Adds up the time of the cells, notebook by notebook."""

    def __init__(self, is_worker: bool = False):
        self.spent, self.is_worker = Counter(), is_worker

    @property
    def most(self) -> float:
        return BUDGET * BESIDE_OTHER_TESTS * max(1.0, SPEED / speed_here())

    def pytest_runtest_logreport(self, report):
        path = report.nodeid.partition("::")[0]
        if path.endswith(".ipynb"):
            self.spent[path] += report.duration

    def over(self) -> dict[str, float]:
        return {path: spent for path, spent in self.spent.items() if spent > self.most}

    def pytest_sessionfinish(self, session):
        if self.over() and not self.is_worker:
            session.exitstatus = 1

    def pytest_terminal_summary(self, terminalreporter):
        for path, spent in self.spent.most_common():
            note = f", more than {self.most:.0f}" if path in self.over() else ""
            terminalreporter.write_line(f"{path}: {spent:.0f} s{note}", red=bool(note))
