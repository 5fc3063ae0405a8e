"""A notebook can be read cell by cell: not too many, none too long, and what it asks it answers."""

import json
import re
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
ASKED, GUESSED, REVEALED = r"\*\*Predict:\*\*", r"\bpredict\(", r"\.reveal\("


def cells(path):
    return [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(path.read_text())["cells"]]


def unanswered(notebook):
    """Predictions, by the text that asks for them, that are not guessed and then revealed before the next one."""
    open_question, found = None, []
    for kind, source in notebook:
        for mark in re.finditer(ASKED if kind == "markdown" else f"{GUESSED}|{REVEALED}", source):
            line = source[mark.start() :].splitlines()[0]
            if mark.group() == ".reveal(":
                found += [] if open_question and open_question[0] == "code" else [f"nothing was asked: {line}"]
                open_question = None
            elif open_question is None or (kind, open_question[0]) == ("code", "markdown"):
                open_question = kind, line
            else:
                found, open_question = [*found, open_question[1]], (kind, line)
    return [*found, open_question[1]] if open_question else found


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


def test_every_prediction_that_a_notebook_asks_for_is_revealed(path):
    assert not unanswered(cells(path))


def test_a_notebook_has_25_to_40_code_cells(path):
    count = sum(kind == "code" for kind, _ in cells(path))
    assert 25 <= count <= 40


def test_no_code_cell_is_longer_than_12_lines(path):
    long = {k: n for k, (kind, text) in enumerate(cells(path)) if kind == "code" and (n := len(text.splitlines())) > 12}
    assert not long


@pytest.mark.parametrize(
    "missing, notebook",
    [
        (["**Predict:** how many?"], [("markdown", "**Predict:** how many?"), ("code", "print(3)")]),
        (["predict('how many?', 3)"], [("code", "guess = predict('how many?', 3)"), ("code", "print(3)")]),
        (["**Predict:** a?"], [("markdown", "**Predict:** a?"), ("markdown", "**Predict:** b?")]
         + [("code", "guess = cogkit.predict('b?', 3)\nguess.reveal(3)")]),
        (["nothing was asked: .reveal(3)"], [("markdown", "**Predict:** a?"), ("code", "guess.reveal(3)")]),
        ([], [("markdown", "**Predict:** how many?"), ("code", "guess = cogkit.predict('n', 3)"), ("code", "x = 1")]
         + [("code", "guess.reveal(x)")]),
    ],
)  # fmt: skip
def test_a_prediction_is_answered_by_a_guess_and_then_a_reveal(missing, notebook):
    assert unanswered(notebook) == missing
