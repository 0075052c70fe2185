import pytest

from podtune.core.errors import DatasetError
from podtune.data.containers import headers
from podtune.data.containers.tables import Row
from podtune.data.formats import columns
from support.readings import Pass

PAIRS = [["question", "answer"], ["How?", "So."], ["Why?", "Because."]]


def table(rows, **options):
    numbered = (Row(line, cells) for line, cells in enumerate(rows, start=1))
    return headers.mapped(numbered, Pass(**options).reading)


def test_records_are_cells_by_column():
    found = table(PAIRS)
    assert [record.value for record in found.records] == [
        {"question": "How?", "answer": "So."},
        {"question": "Why?", "answer": "Because."},
    ]
    assert found.mapped.columns == {"prompt": "question", "completion": "answer"}
    assert found.shown == ("question", "answer")


def test_rows_beyond_the_head_are_read_too():
    assert len(list(table([*PAIRS, *[["x", "y"]] * 500]).records)) == 502


@pytest.mark.parametrize("rows", [[], [["", " "]], [None, [""]]])
def test_nothing_is_no_table(rows):
    assert table(rows) is None


def test_rows_that_cannot_be_used_say_why():
    found = table([*PAIRS[:1], None, ["", ""], ["a", "b", "c"], ["a", "b", "", ""]])
    codes = [record.problem and record.problem.code for record in found.records]
    assert codes == ["bad_quoting", "empty_line", "too_many_cells", None]


def test_a_title_above_the_header():
    assert [r.line for r in table([["Export"], *PAIRS]).records] == [3, 4]


def test_the_header_with_the_columns_that_were_named():
    found = table([["x", "y"], ["z", "w"]], columns={"prompt": "x", "completion": "y"})
    assert [record.value for record in found.records] == [{"x": "z", "y": "w"}]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (PAIRS, "its columns: question, answer"),
        ([["hunter2", "alice"], ["qwertz", "bartholomew"]], "its 2 columns have no names"),
        ([["hunter2", "alice"], ["one two three four", "b"]], "its 2 columns have no names"),
        ([["sensor", "made at"], ["x", "2024-01-01"]], "its columns: sensor, made at"),
    ],
)
def test_a_column_that_is_not_there(rows, told):
    with pytest.raises(DatasetError) as caught:
        table(rows, columns={"prompt": "frage"})
    assert caught.value.code == "missing_column"
    assert told in caught.value.message


def test_too_many_columns():
    wide = ["x"] * (columns.MAX_COLUMNS + 1)
    with pytest.raises(DatasetError) as caught:
        table([wide, wide])
    assert caught.value.code == "too_many_columns"
    assert [r.problem and r.problem.code for r in table([*PAIRS, wide]).records] == [None, None, "too_many_cells"]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "expected"),
    [(PAIRS, 2), ([["x", "y"]], 0), ([["How do I do it?", "You just do it."], ["Why is it so?", "It is so."]], 1)],
)  # fmt: skip
def test_how_much_a_table_looks_like_questions_and_answers(rows, expected):
    assert headers.likeness([Row(n, cells) for n, cells in enumerate(rows, start=1)]) == expected
