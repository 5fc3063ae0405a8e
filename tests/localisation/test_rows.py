import pytest

from cogkit.jsonl import add_line
from cogkit.localisation.rows import RowsError, read_rows


def row(kind, clip, weights="w", **more):
    return {"kind": kind, "clip": clip, "weights": weights} | more


def test_rows_come_back_and_the_last_one_of_a_clip_counts(tmp_path):
    path = tmp_path / "outputs" / "rows.jsonl"
    assert read_rows(path, "w") == []
    for one in (row("noised", 0, auc=1), row("generated", 0), row("noised", 0, auc=2)):
        add_line(path, one)
    assert sorted(read_rows(path, "w"), key=lambda r: r["kind"]) == [row("generated", 0), row("noised", 0, auc=2)]


def test_rows_of_other_weights_are_refused_by_name(tmp_path):
    add_line(tmp_path / "rows.jsonl", row("noised", 0, "old"))
    with pytest.raises(RowsError, match="rows of other weights .old, not new.; name another file"):
        read_rows(tmp_path / "rows.jsonl", "new")
