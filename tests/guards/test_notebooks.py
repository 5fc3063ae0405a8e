"""The notebooks are stored as they ran; nbval runs them again and compares."""

import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
PERSONAL = re.compile(r"/home/|/root/|/tmp/|/work/|/Users/")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def load(path):
    return json.loads(path.read_text())


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def text(notebook):
    return "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")


def outputs(notebook):
    return [output for cell in code_cells(notebook) for output in cell["outputs"]]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


def test_a_notebook_is_stored_as_it_ran_from_top_to_bottom(path):
    counts = [cell["execution_count"] for cell in code_cells(load(path))]
    assert counts == list(range(1, len(counts) + 1))


def test_a_notebook_holds_no_error_no_warning_and_no_widget_state(path):
    notebook = load(path)
    assert "widgets" not in notebook["metadata"]
    for output in outputs(notebook):
        assert output["output_type"] != "error" and output.get("name") != "stderr"
    assert not any("execution" in cell["metadata"] for cell in code_cells(notebook)), "holds the times of its cells"


def test_no_cell_hides_its_output_behind_a_semicolon(path):
    for cell in code_cells(load(path)):
        assert not "".join(cell["source"]).rstrip().endswith(";"), "nbval shows it all the same"


def test_a_notebook_names_nobodys_folders_and_stays_below_400_kb(path):
    assert not PERSONAL.search(path.read_text()) and path.stat().st_size < 400_000


def test_every_picture_says_in_a_sentence_what_it_shows(path):
    for output in outputs(load(path)):
        if "image/png" in output.get("data", {}):
            alt = output["metadata"].get("image/png", {}).get("alt", "")
            assert len(alt) > 15, f"a picture without alt text: {alt!r}"


def test_one_title_and_no_skipped_level_of_headings(path):
    levels = [
        len(marks) for marks in re.findall(r"^(#+) ", re.sub(r"```.*?```", "", text(load(path)), flags=re.S), re.M)
    ]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b <= a + 1 for a, b in zip(levels, levels[1:], strict=False))


def test_links_between_pages_lead_somewhere(path):
    for target in LINK.findall(text(load(path))):
        assert target.startswith("https://") or (FOLDER / target).exists(), f"{target} is not there"


def test_skipped_cells_say_why(path):
    for cell in code_cells(load(path)):
        if any(tag.startswith("nbval-") for tag in cell["metadata"].get("tags", [])):
            assert len(cell["metadata"].get("reason", "")) > 10
