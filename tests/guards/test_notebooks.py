"""The notebooks are stored as they ran; nbval runs them again and compares."""

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_whole_and_clean(path):
    notebook = json.loads(path.read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1)), "not run from top to bottom"
    assert "widgets" not in notebook["metadata"], "stores widget state"
    for cell in code:
        source = "".join(cell["source"])
        assert not source.rstrip().endswith(";"), "a trailing semicolon hides nothing under nbval"
        for output in cell["outputs"]:
            assert output["output_type"] != "error" and output.get("name") != "stderr", source
    assert path.stat().st_size < 400_000 and "/home/" not in path.read_text() and "/root/" not in path.read_text()
