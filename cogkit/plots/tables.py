"""The text twin of a picture: a small table that a screen reader, a terminal and a `diff` can read."""

import math
from collections.abc import Iterable, Sequence
from numbers import Real

MOST = 24  # rows: a twin is small


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns padded with blanks, numbers of three digits to the right; what is beyond MOST rows is counted."""
    rows = list(rows)
    cells = [list(columns), *([_cell(value) for value in row] for row in rows[:MOST])]
    widths = [max(len(row[k]) for row in cells) for k in range(len(columns))]
    right = [bool(rows) and isinstance(rows[0][k], int | float) for k in range(len(columns))]
    lines = [
        "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)).rstrip()
        for row in cells
    ]
    return "\n".join(lines + ([f"and {len(rows) - MOST} more rows"] if len(rows) > MOST else []))


def percent(share: Real) -> str:
    return f"{100 * share:.0f} %"


def listed(names: Sequence[str], most: int = 6) -> str:
    """ "a", "a and b", "a, b and c"; what is beyond `most` is counted."""
    names = [*names[:most], *([f"{len(names) - most} more"] if len(names) > most else [])]
    return " and ".join(([", ".join(names[:-1])] if names[1:] else []) + names[-1:])


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.3g}"
    return str(value)
