"""Every sentence of a notebook that claims something has a check beside it, or a reason why not."""

import importlib.util
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
NOTEBOOKS = sorted((HERE.parents[1] / "notebooks").glob("*.ipynb"))
spec = importlib.util.spec_from_file_location("claims", HERE / "claims.py")
claims = importlib.util.module_from_spec(spec)
spec.loader.exec_module(claims)


def cell(kind, source):
    return {"cell_type": kind, "source": [source]}


def test_every_claim_of_the_notebooks_is_checked_or_excused():
    assert not claims.uncovered(NOTEBOOKS)


def test_every_excuse_names_a_reason_and_a_sentence_that_is_there():
    excused = tomllib.loads((HERE / "unchecked.toml").read_text())
    for stem, sentences in excused.items():
        notebook = claims.json.loads((HERE.parents[1] / "notebooks" / f"{stem}.ipynb").read_text())
        assert set(sentences) <= {sentence for sentence, _ in claims.claims(notebook)}
        assert all(len(reason) > 10 for reason in sentences.values())


def test_a_number_or_a_never_is_a_claim_and_needs_a_check_beside_it():
    text = cell("markdown", "It has 13 latent frames. Blue is a colour. It never looks ahead! `x[3]` is code.")
    bare = {"cells": [text, cell("code", "print(1)")]}
    assert list(claims.claims(bare)) == [("It has 13 latent frames.", False), ("It never looks ahead!", False)]
    checked = {"cells": [text, cell("code", "x = 1"), cell("code", "cogkit.check('thirteen', 13, equals=13)")]}
    assert all(covered for _, covered in claims.claims(checked))


def test_headers_questions_and_code_are_not_claims():
    cells = [cell("markdown", "# 01 · Title\nTime: 60 seconds."), cell("markdown", "## 2 things\nHow many of 49?")]
    assert list(claims.claims({"cells": cells})) == []


def test_what_stands_before_the_back_matter_in_the_same_cell_is_read():
    text = cell("markdown", "## So?\nIt took 5 steps.\n\n## Where next\nNotebook 06 has 3 more.")
    assert list(claims.claims({"cells": [text]})) == [("It took 5 steps.", False)]
