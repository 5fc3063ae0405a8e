import math

from cogkit.plots.tables import listed, percent, table


def test_columns_line_up_numbers_to_the_right():
    assert table(["word", "peak"], [["circle", 0.51234], ["a", 12.0]]) == "word     peak\ncircle  0.512\na          12"


def test_a_table_is_small_and_says_what_it_left_out():
    lines = table(["k"], [[k] for k in range(30)]).splitlines()
    assert len(lines) == 1 + 24 + 1 and lines[-1] == "and 6 more rows"


def test_what_is_no_number_is_a_dash():
    assert table(["ratio"], [[math.nan]]).splitlines()[1].strip() == "-"


def test_lists_and_percents_read_as_words():
    assert (
        listed(["a"]) == "a"
        and listed(["a", "b", "c"]) == "a, b and c"
        and listed(list("abcd"), 2) == "a, b and 2 more"
    )
    assert percent(0.256) == "26 %"
