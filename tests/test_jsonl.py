import pytest

from cogkit.jsonl import add_line, read_lines


def test_rows_come_back_in_their_order(tmp_path):
    path = tmp_path / "new" / "rows.jsonl"
    assert read_lines(path) == []
    for k in (2, 1):
        add_line(path, {"k": k})
    assert read_lines(path) == [{"k": 2}, {"k": 1}]


def test_a_line_cut_short_is_removed_and_the_next_one_starts_afresh(tmp_path):
    path = tmp_path / "rows.jsonl"
    for text, kept in (('{"k": 1}\n{"k', [{"k": 1}]), ('{"k', [])):
        path.write_text(text)
        assert read_lines(path) == kept
        add_line(path, {"k": 2})
        assert read_lines(path) == [*kept, {"k": 2}]


def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a,b,c\nd")
    with pytest.raises(ValueError):
        read_lines(path)
    assert path.read_text() == "a,b,c\nd"
