import io
import sys
import zipfile
from datetime import date, datetime, time

import pytest

from podtune.core.errors import DatasetError, UnsupportedError
from podtune.data.containers import workbook
from support import data_files as make

PAIRS = [["question", "answer"], ["How?", "So."], ["Why?", "Because."]]


def write(folder, raw, name="book.xlsx"):
    path = folder / name
    path.write_bytes(raw)
    return path


def read(folder, sheets, name="book.xlsx"):
    return workbook.sheets(write(folder, make.workbook(sheets), name))


def refused(path):
    with pytest.raises(DatasetError) as caught:
        workbook.sheets(path)
    return caught.value.code


def test_sheets_with_their_rows_and_the_sheet_s_row_numbers(tmp_path):
    found = read(tmp_path, {"Notes": [["x"]], "FAQ": [PAIRS[0], [], PAIRS[1], ["", ""], PAIRS[2]]})
    assert [sheet.name for sheet in found] == ["Notes", "FAQ"]
    assert (
        list(found[1].head)
        == list(found[1].rows())
        == [(1, PAIRS[0]), (3, PAIRS[1]), (5, PAIRS[2])]
    )


def test_empty_sheets_are_none(tmp_path):
    assert [s.name for s in read(tmp_path, {"A": [], "B": PAIRS})] == ["B"]


def test_cells_are_text_as_people_see_it(tmp_path):
    (found,) = read(tmp_path, {"S": [[7, 0.5, True, None, "  x ", "a\nb", "<&"], [1e20, 12345678]]})
    assert found.head[0].cells == ["7", "0.5", "TRUE", "", "  x ", "a\nb", "<&"]
    assert found.head[1].cells[1] == "12345678"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (42.0, "42"),
        (-1.0, "-1"),
        (0.1, "0.1"),
        (4111111111111111.0, "4111111111111111"),
        (1e16, "10000000000000000"),
        (1e300, "1e+300"),
        (1e-07, "0.0000001"),
        (0.15, "0.15"),
        (-0.0, "0"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        (False, "FALSE"),
        (None, ""),
        ("007", "007"),
        (date(2024, 2, 1), "2024-02-01"),
        (datetime(2024, 2, 1), "2024-02-01"),  # noqa: DTZ001
        (datetime(2024, 2, 1, 8, 30), "2024-02-01T08:30:00"),  # noqa: DTZ001
        (time(8, 30), "08:30:00"),
    ],
)
def test_a_value_as_text(value, text):
    assert workbook.as_text(value) == text


def test_an_archive_with_a_workbook_s_parts_is_one():
    def made(*names):
        return zipfile.ZipFile(io.BytesIO(make.zipped(dict.fromkeys(names, b"x"))))

    assert workbook.is_workbook(made("[Content_Types].xml", "xl/workbook.xml"))
    assert not workbook.is_workbook(made("[Content_Types].xml", "word/document.xml"))
    assert not workbook.is_workbook(made("rows.jsonl"))


def test_a_file_is_one_by_its_content(tmp_path):
    assert workbook.is_workbook_file(write(tmp_path, make.workbook({"S": PAIRS}), "a.bin"))
    assert not workbook.is_workbook_file(write(tmp_path, b"PK\x03\x04 no archive", "b.xlsx"))


def test_the_name_does_not_matter(tmp_path):
    assert list(read(tmp_path, {"S": PAIRS}, "upload.ods")[0].rows()) == list(
        read(tmp_path, {"S": PAIRS})[0].rows()
    )


def test_columns_that_are_empty_on_the_left_are_there(tmp_path):
    (found,) = read(tmp_path, {"S": [[], [None, "x", "y"]]})
    assert list(found.rows()) == [(2, ["", "x", "y"])]


@pytest.mark.parametrize("cut", [10, 400, 1000])
def test_a_damaged_workbook(tmp_path, cut):
    assert refused(write(tmp_path, make.workbook({"S": PAIRS})[:-cut])) == "damaged_file"


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml"])
def test_parts_that_are_no_xml(tmp_path, part):
    raw = make.workbook({"S": PAIRS}, [(part, b"<worksheet><row r='1'><c r='A1' t='s'><v>99</v>")])
    path = write(tmp_path, raw)
    try:
        assert isinstance(workbook.sheets(path), list)
    except DatasetError as error:
        assert error.code == "damaged_file"  # noqa: PT017 - the library takes some of it


def test_rows_are_read_when_they_are_asked_for(tmp_path, monkeypatch):
    (found,) = read(tmp_path, {"S": [["question", str(n)] for n in range(3000)]})
    assert (len(found.head), found.height) == (workbook.HEAD_ROWS, 3000)
    seen = []
    monkeypatch.setattr(workbook, "as_text", lambda value: seen.append(value) or "x")
    rows = found.rows()
    assert (next(rows).line, len(seen)) == (1, 2)
    assert len(list(rows)) == 2999
    assert len(list(found.rows())) == 3000


def test_without_the_library_the_hint_says_what_is_lacking(tmp_path, monkeypatch):
    path = write(tmp_path, make.workbook({"S": PAIRS}))
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(UnsupportedError) as caught:
        workbook.sheets(path)
    assert caught.value.code == "library_missing"
