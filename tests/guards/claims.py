"""Which sentences of the notebooks claim something, and which of those have no check beside them.

A claim states a number, or says always, never, exactly, every. It is covered if the code cell before or after
its text calls `check`, `assert`, `.reveal` or `@exercise`. What cannot be checked is listed in `unchecked.toml` with
a reason.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CLAIM = re.compile(r"\d|\b(always|never|exactly|every)\b", re.IGNORECASE)
CHECK = re.compile(r"\bcheck\(|\bassert\b|\.reveal\(|@(?:cogkit\.|teaching\.)?exercise\(")
NOT_PROSE = re.compile(
    r"```.*?```|<details>.*?</details>|^\s*#.*?$|^\s*\|.*?$|`[^`]*`|\[[^\]]*\]\([^)]*\)|\$[^$]*\$", re.S | re.M
)
QUESTION = re.compile(r"\*\*(Predict|Exercise)\b|\?\s*$")
FREE_HEADINGS = re.compile(r"^# |^## (Sources|Where next|Glossary)", re.M)  # the header and the back matter


def claims(notebook: dict) -> Iterator[tuple[str, bool]]:
    """(sentence, has a check beside it) for every claim in a notebook."""
    cells = notebook["cells"]
    for k, cell in enumerate(cells):
        text = "".join(cell["source"])
        if cell["cell_type"] != "markdown":
            continue
        if free := FREE_HEADINGS.search(text):
            text = text[: free.start()]
        beside = [_code(cells, k, -1), _code(cells, k, +1)]
        covered = any(CHECK.search(code) for code in beside)
        for sentence in re.split(r"(?<=[.!?:])\s+|\n\s*[-*\d]*\.?\s", NOT_PROSE.sub("", text)):
            if CLAIM.search(sentence) and not QUESTION.search(sentence):
                yield sentence.strip(), covered


def _code(cells: list[dict], k: int, step: int) -> str:
    """The run of code cells that touches cell k on one side."""
    source, k = "", k + step
    while 0 <= k < len(cells) and cells[k]["cell_type"] == "code":
        source += "".join(cells[k]["source"]) + "\n"
        k += step
    return source


def uncovered(paths: list[Path]) -> dict[str, list[str]]:
    """Claims without a check, by notebook, apart from those that are excused."""
    excused = tomllib.loads((Path(__file__).parent / "unchecked.toml").read_text())
    found = {}
    for path in paths:
        allowed = excused.get(path.stem, {})
        missing = [s for s, covered in claims(json.loads(path.read_text())) if not covered and s not in allowed]
        if missing:
            found[path.stem] = missing
    return found


if __name__ == "__main__":
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        every = list(claims(json.loads(path.read_text())))
        print(f"{path.name}: {len(every)} claims, {sum(not covered for _, covered in every)} without a check")
        for sentence, covered in every:
            if not covered:
                print(f"  {sentence}")
