"""Notebooks must not outgrow their reader's patience: a test session in which one takes too long has failed."""

from collections import Counter

BUDGET = 60.0  # seconds from the first cell to the last, on two idle cores
BESIDE_OTHER_TESTS = 2.0  # times slower: on one thread, the other one busy


def pytest_configure(config):
    config.pluginmanager.register(NotebookBudget(hasattr(config, "workerinput")), "notebook-budget")


class NotebookBudget:
    """Adds up the time of the cells, notebook by notebook."""

    def __init__(self, is_worker: bool = False):
        self.spent, self.is_worker = Counter(), is_worker

    def pytest_runtest_logreport(self, report):
        path = report.nodeid.partition("::")[0]
        if path.endswith(".ipynb"):
            self.spent[path] += report.duration

    def over(self) -> dict[str, float]:
        return {path: spent for path, spent in self.spent.items() if spent > BUDGET * BESIDE_OTHER_TESTS}

    def pytest_sessionfinish(self, session):
        if self.over() and not self.is_worker:
            session.exitstatus = 1

    def pytest_terminal_summary(self, terminalreporter):
        for path, spent in self.spent.most_common():
            note = f", more than {BUDGET * BESIDE_OTHER_TESTS:.0f}" if path in self.over() else ""
            terminalreporter.write_line(f"{path}: {spent:.0f} s{note}", red=bool(note))
