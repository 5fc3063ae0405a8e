"""The folded solution of an exercise passes its test when it is written where the notebook has the stub."""

import ast
import importlib
import json
import re
import textwrap
from itertools import pairwise
from pathlib import Path

import pytest

from cogkit.teaching import exercises_of

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
STUB = re.compile(r"@cogkit\.exercise\(lesson\.(\w+)\)\n(def .*:.*\n)")
FOLDED = re.compile(r"<details><summary>Solution</summary>\s*```python\n(.*?)```", re.S)


def cells(path):
    return [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(path.read_text())["cells"]]


def solved(path):
    """(name of the exercise, the stub with the folded solution as its body) of every exercise."""
    for (_, code), (_, text) in pairwise(cells(path)):
        if stub := STUB.search(code):
            yield stub[1], stub[2] + textwrap.indent(FOLDED.search(text)[1], "    ")


def imports(path):
    """What the notebook imports, anywhere at the top level of a cell."""
    code = "\n".join(text for kind, text in cells(path) if kind == "code")
    code = re.sub(r"^(\s*)%.*", r"\1pass", code, flags=re.M)
    found = [node for node in ast.parse(code).body if isinstance(node, ast.Import | ast.ImportFrom)]
    return "\n".join(map(ast.unparse, found))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_folded_solution_runs_in_its_notebook_and_passes(path, capsys):
    lesson = importlib.import_module(f"cogkit.lessons.{path.stem[3:]}")
    earlier = {task.solution.__name__: task.solution for task in exercises_of(lesson)}
    refused, names = {}, []
    for name, code in solved(path):
        namespace = dict(earlier)
        exec(f"{imports(path)}\n{code}", namespace)
        answer = namespace[re.match(r"def (\w+)", code)[1]]
        if (refusal := getattr(lesson, name).refusal(answer)) is not None:
            refused[name] = refusal
        names.append(name)
    assert not refused and len(names) >= 3
