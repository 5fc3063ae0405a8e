"""Rows of scores in a file of JSON lines: each is kept as soon as it is there, and belongs to one set of weights."""

from pathlib import Path

from cogkit.jsonl import read_lines


class RowsError(ValueError):
    """Rows that do not belong to the weights at hand."""


def read_rows(path: Path, weights: str) -> list[dict]:
    """The rows of a file, the last one of a clip counting."""
    rows = {(row["kind"], row["clip"]): row for row in read_lines(path)}
    if strange := {row["weights"] for row in rows.values()} - {weights}:
        raise RowsError(f"{path} has rows of other weights ({', '.join(strange)}, not {weights}); name another file")
    return list(rows.values())
