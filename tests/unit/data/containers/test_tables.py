import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.data.containers import tables

cells = st.text(
    alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=12
)  # fmt: skip


def rows(text, delimiter=",", first_line=1):
    return list(tables.rows(text.encode().split(b"\n"), delimiter, first_line))


def test_plain_rows_at_their_lines():
    assert rows("a,b\n\nc", first_line=5) == [(5, ["a", "b"]), (6, [""]), (7, ["c"])]


def test_quoted_cells_hold_delimiters_quotes_and_line_ends():
    text = '"a,b","say ""hi""",c\n"one\n\ntwo",x\nend'
    assert rows(text) == [
        (1, ["a,b", 'say "hi"', "c"]),
        (2, ["one\n\ntwo", "x"]),
        (5, ["end"]),
    ]


def test_a_quote_inside_a_plain_cell_is_a_quote():
    assert rows('a"b,c\n6" pipe,d') == [(1, ['a"b', "c"]), (2, ['6" pipe', "d"])]


def test_a_row_that_ends_in_such_a_cell_after_a_long_one_is_whole():
    assert rows('"x\ny",a"b\nc,d') == [(1, ["x\ny", 'a"b']), (3, ["c", "d"])]


def test_a_quote_that_is_never_closed_costs_one_row():
    assert rows('a,b\n"c,d\ne,f\ng,h') == [
        (1, ["a", "b"]),
        (2, None),
        (3, ["e", "f"]),
        (4, ["g", "h"]),
    ]


def test_a_quote_that_closes_amid_text_costs_one_row():
    assert rows('"c"x,d\ne,f') == [(1, None), (2, ["e", "f"])]


def test_two_of_them_cost_two():
    assert rows('"a,b\nc,d\n"e,f\ng,h') == [(1, None), (2, ["c", "d"]), (3, None), (4, ["g", "h"])]


def test_many_open_quotes_are_read_in_linear_time():
    # Each of these opens a cell at its end, closes and opens one inside another: no row ever ends.
    count = 20_000
    found = rows('x",",z\n' * count)
    assert [row.line for row in found] == list(range(1, count + 2))
    assert found[0].cells is None


def test_a_long_cell_is_read_after_one_bad_quote():
    lines = "\n".join(f"line {i}" for i in range(500))
    found = rows(f'"never,x\na,b\n"{lines}",y\n')
    assert [row.line for row in found][:3] == [1, 2, 3]
    assert found[2].cells == [lines, "y"]


def test_a_line_beyond_the_bound_is_bad_and_never_cut_in_silence(monkeypatch):
    monkeypatch.setattr(tables, "MAX_LINE", 10)
    assert rows("q,a\nlong question,long answer\nb,c") == [
        (1, ["q", "a"]),
        (2, None),
        (3, ["b", "c"]),
    ]


def test_a_cell_beyond_the_bound_is_bad(monkeypatch):
    monkeypatch.setattr(tables, "MAX_LINE", 10)
    assert rows('"aaaaaa\nbbbbbb\ncc",d\ne,f')[0] == (1, None)


@pytest.mark.parametrize(
    ("head", "named"),
    [("sep=;\na;b", ";"), ("SEP=|\r\na|b", "|"), ("sep=\t\na", "\t"), ("separate=;\n", None), ("a,b\nsep=;", None)],
)  # fmt: skip
def test_excel_says_the_delimiter_in_the_first_line(head, named):
    assert tables.separator_line(head) == named


@pytest.mark.parametrize(
    ("head", "suffix", "delimiter"),
    [
        ("a,b\n1,2\n", ".csv", ","),
        ("a;b\n1,5;2,5\n3,5;4,5\n", ".csv", ";"),
        ("a\tb\nx, y\tz\n", ".csv", "\t"),
        ("a|b|c\n1|2|3\n", ".csv", "|"),
        ("a,b,c\tx\n", ".tsv", "\t"),
        ('q;a\n"one, two";"three"\nfour;five, six, seven\n', ".csv", ";"),
        ("question,answer\nWhy;so?,Because; of it\n", ".csv", ","),
        ("alone\n", ".csv", ","),
        ("", ".csv", ","),
    ],
)
def test_the_delimiter_is_the_one_that_makes_even_rows(head, suffix, delimiter):
    assert tables.delimiter_of(head, suffix) == delimiter


@settings(deadline=None)
@given(
    st.lists(
        st.lists(cells | cells.map(lambda c: f"{c}\n{c}"), min_size=2, max_size=4), max_size=8
    ),
    st.sampled_from(tables.DELIMITERS),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_what_csv_writes_is_read_back_with_its_lines(written, delimiter, quoting):
    out, starts = io.StringIO(), []
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n", quoting=quoting)
    for row in written:
        starts.append(out.getvalue().count("\n") + 1)
        writer.writerow(row)
    text = out.getvalue().removesuffix("\n")
    found = rows(text, delimiter) if written else []
    assert found == list(zip(starts, written, strict=True))


@settings(deadline=None)
@given(st.text(alphabet='",;x\n ', max_size=60))
def test_every_line_is_in_one_row_whatever_the_quotes(text):
    found = rows(text)
    lines = [row.line for row in found]
    assert lines == sorted(set(lines))
    assert lines[:1] == [1]
    assert lines[-1] <= text.count("\n") + 1


@pytest.mark.parametrize(
    ("head", "blanks"),
    [
        ('prompt, completion\n"d, x", "e"\n"f", "g, h"\n', True),
        ('"q", "a"\n"d", "e"\n"f", "g"', True),
        ('prompt,completion\n"d","e, ""x"", y"\n', False),
        ('q,a\n"d","e"\n"f","g"\nhe said, "so",x\n', False),
        ("q, a\nb, c\n", False),
        ("", False),
    ],
)
def test_blanks_before_quotes_are_told(head, blanks):
    assert tables.has_blanks(head, ",") is blanks


def test_blanks_before_cells_are_left_out():
    found = tables.rows([b'"d, x", "e"', b"f,  g"], ",", blanks=True)
    assert list(found) == [(1, ["d, x", "e"]), (2, ["f", "g"])]
