import zipfile

import pytest

from podtune.core.errors import DatasetError
from podtune.data.containers import workbook_bounds
from support import data_files as make


def write(folder, raw):
    path = folder / "book.xlsx"
    path.write_bytes(raw)
    return path


def beyond(path):
    with pytest.raises(DatasetError) as caught:
        workbook_bounds.check(path)
    return caught.value.code


def shared(texts, cells):
    """A workbook whose cells name texts that stand in a part of their own."""
    rows = "".join(f'<row><c t="s"><v>{n}</v></c></row>' for n in cells)
    listed = "<sst>" + "".join(f"<si><t>{text}</t></si>" for text in texts) + "</sst>"
    return make.workbook({"S": rows}, [("xl/sharedStrings.xml", listed)])


def test_xml_beyond_the_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(workbook_bounds, "MAX_UNPACKED", 100_000)
    assert beyond(write(tmp_path, make.workbook({"S": [["x" * 100_000]]}))) == "decompression_bound"


def test_xml_beyond_the_bound_that_says_it_is_small(tmp_path, monkeypatch):
    monkeypatch.setattr(workbook_bounds, "MAX_UNPACKED", 100_000)
    raw = bytearray(make.workbook({"S": [["x" * 100_000]]}))
    at = raw.rindex(b"xl/worksheets/sheet1.xml")  # its entry in the archive's list
    raw[at - 46 + 24 : at - 46 + 28] = (50).to_bytes(4, "little")
    assert beyond(write(tmp_path, bytes(raw))) == "decompression_bound"


@pytest.mark.parametrize(
    "rows",
    [
        make.cell("A1", "x").join(["<row r='1'>", "</row>"])
        + f'<row r="1048576">{make.cell("XFD1048576", "x")}</row>',
        f'<row r="1">{make.cell("XFD1", "x")}</row><row r="1048576"><c><v>1</v></c></row>',
        f"<row r='1'>{make.cell('XFD1', 'x')}</row>" + "<row><c><v>1</v></c></row>" * 1000,
        "<row>" + "<c><v>1</v></c>" * 5000 + "</row>" + "<row/>" * 4000,
        f'<x:row r="1"><x:c s="1" r="XFD1"/></x:row><row spans="1:1" r="9999">{make.cell("A9999", "x")}</row>',
        '<row><c r="A1"/><c r = "XFD1048576"/></row>',
        '<row><c r="A1"/><c s=">" r="XFD1048576"/></row>',
    ],
    ids=["two corners", "no place", "many rows", "wide row", "prefix", "blanks", "bracket"],
)
def test_two_cells_far_apart_would_take_all_memory_and_are_beyond(tmp_path, rows):
    assert beyond(write(tmp_path, make.workbook({"S": rows}))) == "decompression_bound"


def test_cells_that_name_no_place_are_no_bomb(tmp_path):
    rows = "".join(f'<row><c t="inlineStr"><is><t>{i}</t></is></c><c><v>1</v></c></row>' for i in range(6000))  # fmt: skip
    workbook_bounds.check(write(tmp_path, make.workbook({"S": rows})))


def test_a_long_sheet_is_no_bomb(tmp_path):
    workbook_bounds.check(write(tmp_path, make.workbook({"S": [["question", "answer"]] * 3000})))


def test_a_million_rows_of_a_small_file_are_refused_in_no_time(tmp_path):
    rows = ("<row>" + "<c><v>7</v></c>" * 15 + "</row>") * 300_000
    assert beyond(write(tmp_path, make.workbook({"S": rows}))) == "decompression_bound"


def test_what_unpacks_to_many_times_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(workbook_bounds, "RATIO_FROM", 1000)
    blank = make.workbook({"S": [["x"]]}, [("xl/media/a.bin", bytes(10 << 20))])
    assert beyond(write(tmp_path, blank)) == "decompression_bound"


def test_one_long_text_in_many_cells_is_held_as_often_and_refused(tmp_path):
    raw = shared(["x" * 32_000], [0] * 20_000)
    assert beyond(write(tmp_path, raw)) == "decompression_bound"


def test_one_long_text_among_many_short_ones_is_none(tmp_path):
    workbook_bounds.check(write(tmp_path, shared(["x" * 32_000, "y"], [0] * 9 + [1] * 20_000)))


def test_texts_over_the_edges_of_blocks_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(workbook_bounds, "MAX_SHARED", 200_000)
    monkeypatch.setattr(workbook_bounds, "_KEPT", 64)
    path = write(tmp_path, shared(["a" * 300, "b" * 1000, "c" * 10], [1] * 150 + [2] * 40))
    for block in (70, 333, 1 << 20):
        monkeypatch.setattr(workbook_bounds, "BLOCK", block)
        workbook_bounds.check(path)
    path = write(tmp_path, shared(["a" * 300, "b" * 1000, "c" * 10], [1] * 220))
    for block in (70, 333, 1 << 20):
        monkeypatch.setattr(workbook_bounds, "BLOCK", block)
        assert beyond(path) == "decompression_bound"


def test_texts_beyond_counting(tmp_path, monkeypatch):
    monkeypatch.setattr(workbook_bounds, "MAX_CELLS", 10)
    monkeypatch.setattr(workbook_bounds, "MAX_SHARED", 10)
    assert beyond(write(tmp_path, shared(["long text"] * 11, [0, 1]))) == "decompression_bound"


def test_no_archive(tmp_path):
    assert beyond(write(tmp_path, b"PK\x03\x04")) == "damaged_file"


def test_parts_are_whole_whatever_their_entries_say(tmp_path):
    path = write(tmp_path, make.workbook({"S": [["x" * 3000]]}))
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("xl/worksheets/sheet1.xml")
        size = info.file_size
        assert sum(map(len, workbook_bounds._blocks(archive, info))) == size
