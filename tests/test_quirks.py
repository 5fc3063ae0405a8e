"""Every snippet of docs/quirks.md prints what its comments say."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "quirks.md").read_text()
SNIPPET = re.compile(r"^### (.+?)\n(.*?)```python\n(.*?)```", re.MULTILINE | re.DOTALL)
SNIPPETS = [(title, code) for title, _, code in SNIPPET.findall(PAGE)]
BEGINNING = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]


@pytest.fixture(scope="module")
def names(executed):
    """The page is run as a reader runs it: the beginning once, then one snippet after the other."""
    names = {}
    executed(BEGINNING, names)
    return names


@pytest.mark.parametrize(("title", "code"), SNIPPETS, ids=[title for title, _ in SNIPPETS])
def test_a_quirk_is_seen_as_described(title, code, names, executed):
    printed = executed(code, names)
    said = re.findall(r"(?:print\(.*\)  |^)# (.*)$", code, re.MULTILINE)
    assert said and ", ".join(printed) == ", ".join(said)


@pytest.mark.parametrize(("title", "code"), SNIPPETS, ids=[title for title, _ in SNIPPETS])
def test_a_snippet_has_three_lines(title, code):
    assert 1 <= len([line for line in code.splitlines() if not line.startswith("#")]) <= 3


def test_every_quirk_has_its_snippet_and_says_since_when_and_where():
    sections = re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]
    assert len(sections) == len(SNIPPETS) >= 15
    for section in sections:
        text = section.split("```python")[0]
        assert re.search(r"[Ff]rom\s+the\s+start|Since", text), section
        assert re.search(r"No thread|https://github\.com/", text), section
