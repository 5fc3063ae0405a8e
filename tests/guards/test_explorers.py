"""Explorers are made of controls that JupyterLab, Colab, a saved notebook and a screen reader all understand."""

import ast
import json
from pathlib import Path

import pytest
from IPython.core.inputtransformer2 import TransformerManager

ROOT = Path(__file__).parents[2]
REFUSED = {
    **dict.fromkeys(
        ["Output", "interact", "interactive", "interactive_output", "interact_manual"],
        "what it prints ends up twice in Colab and never in a stored notebook; give an HTML widget a value",
    ),
    **dict.fromkeys(
        ["ToggleButton", "ToggleButtons"],
        "what is chosen is only a colour, which no screen reader says; use a Dropdown or a Checkbox",
    ),
    **dict.fromkeys(
        ["TagsInput", "ColorsInput", "FloatsInput", "IntsInput", "Stack", "DatetimePicker", "TimePicker"],
        "ipywidgets 7.7, which Colab has, does not have it",
    ),
    "enable_custom_widget_manager": "it breaks widgets of Colab's own",
}


def refused(source):
    """What of REFUSED the code names, with why not and what instead."""
    nodes = [*ast.walk(ast.parse(source))]
    named = {getattr(node, kind, "") for node in nodes for kind in ("id", "attr")}
    named |= {node.name for node in nodes if isinstance(node, ast.alias)}
    return {name: REFUSED[name] for name in named & REFUSED.keys()}


@pytest.mark.parametrize("path", sorted((ROOT / "cogkit" / "widgets").glob("*.py")), ids=lambda path: path.stem)
def test_no_explorer_is_made_of_what_some_pages_or_readers_do_not_show(path):
    assert not refused(path.read_text())


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_cell_uses_what_some_pages_or_readers_do_not_show(path):
    for cell in json.loads(path.read_text())["cells"]:
        if cell["cell_type"] == "code":
            assert not refused(TransformerManager().transform_cell("".join(cell["source"])))  # %pip is no Python


@pytest.mark.parametrize(
    "source, found",
    [
        ("from ipywidgets import interact as move\nmove(look)", "interact"),
        ("import ipywidgets\nwith ipywidgets.Output():\n    print(1)", "Output"),
        ("kind = widgets.ToggleButtons", "ToggleButtons"),
        ("labelled(TagsInput, 'words')", "TagsInput"),
        ("output.enable_custom_widget_manager()", "enable_custom_widget_manager"),
    ],
)
def test_every_way_to_name_one_is_seen(source, found):
    assert refused(source) == {found: REFUSED[found]}


def test_words_in_a_sentence_are_not_code():
    assert not refused('"""No Output and no interact."""\nname = "ToggleButtons"')
