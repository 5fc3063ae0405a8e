"""Lines of JSON that are added as results come: whoever is killed in the middle of a line loses that line alone."""

import json
from pathlib import Path


def read_lines(path: Path) -> list[dict]:
    """The rows of a file, none if there is no file. What a kill cut off in mid-line is removed from it.

    Raises ValueError for a file that holds something else, and leaves it as it is.
    """
    if not path.exists():
        return []
    whole, cut, rest = path.read_text().rpartition("\n")
    rows = [json.loads(line) for line in whole.splitlines()]
    if rest:
        path.write_text(whole + cut)
    return rows


def add_line(path: Path, row: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")
