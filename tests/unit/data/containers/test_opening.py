import json

import pytest

from podtune.core.errors import DatasetError, NotFoundError
from podtune.data.containers import archive, json_elements, json_text, opening, streams
from podtune.data.record import Problem
from support import data_files as make
from support.readings import Pass

PAIRS = [["question", "answer"], ["How?", "So."], ["Why?", "Because."]]
TABLE = "\n".join(",".join(line) for line in PAIRS).encode()
LINES = make.json_lines(make.rows(3))


@pytest.fixture
def opened(tmp_path):
    """Open a file of these bytes; gives what it is, its records, and the pass."""

    def run(raw, name, **options):
        path = tmp_path / name
        path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
        passed = Pass(**options)
        with opening.opened(path, passed.reading) as file:
            return file, list(file.records), passed

    return run


def refused(opened, raw, name, **options):
    with pytest.raises(DatasetError) as caught:
        opened(raw, name, **options)
    return caught.value.code


def lines_of(records):
    return [record.line for record in records]


@pytest.mark.parametrize(
    ("raw", "name", "container", "records"),
    [
        (LINES, "a.jsonl", "jsonl", 3),
        (LINES, "a", "jsonl", 3),
        (LINES, "a.txt", "jsonl", 3),
        (make.json_lines(make.rows(1), end=""), "a.jsonl", "jsonl", 1),
        (json.dumps(make.rows(3)), "a.json", "json", 3),
        (json.dumps(make.rows(3), indent=1), "a.jsonl", "json", 3),
        (json.dumps({"data": make.rows(3)}), "a.json", "json", 3),
        (json.dumps({"data": make.rows(3)}) + "\n", "a.json", "json", 3),
        (json.dumps(make.row()), "a.json", "json", 1),
        ("\n".join(json.dumps(r, indent=1) for r in make.rows(3)), "a.json", "json_stream", 3),
        ("no json at all\n", "a.jsonl", "jsonl", 1),
        (TABLE, "a.csv", "csv", 2),
        (TABLE, "a", "csv", 2),
        (b"sep=;\nquestion;answer\nx;y\n", "a.csv", "csv", 1),
        (TABLE.replace(b",", b"\t"), "a.tsv", "tsv", 2),
        (TABLE.replace(b",", b"\t"), "a.csv", "tsv", 2),
        (make.workbook({"S": PAIRS}), "a.xlsx", "xlsx", 2),
        (make.workbook({"S": PAIRS}), "a.bin", "xlsx", 2),
        (make.parquet_file({"prompt": ["x"], "completion": ["y"]}), "a.parquet", "parquet", 1),
        (make.zipped({"a.jsonl": LINES}), "a.zip", "zip", 3),
        (make.zipped({"a.xlsx": make.workbook({"S": PAIRS})}), "a.zip", "zip", 2),
        (make.pdf(["Q: How?", "A: So.", "Q: Why?", "A: Because."]), "a.pdf", "pdf", 2),
        (b"# FAQ\n\n## How?\nSo.\n\n## Why?\nBecause.\n", "a.md", "md", 2),
        (b"Q: How?\nA: So.\n\nQ: Why?\nA: Because.\n", "a.txt", "txt", 2),
        (b"just some text about nothing.\n", "a.txt", "txt", 0),
        (b"", "a.jsonl", "empty", 0),
        (b" \n\n", "a.csv", "empty", 0),
        (bytes(range(256)), "a.jsonl", "binary", 0),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("pack", "behind"), [(bytes, ""), (make.gz, ".gz"), (make.zst, ".zst")], ids=["", "gz", "zst"])  # fmt: skip
def test_a_file_is_told_by_its_bytes_and_its_name(opened, raw, name, container, records, pack, behind):  # fmt: skip
    raw = raw if isinstance(raw, bytes) else raw.encode()
    file, found, _ = opened(pack(raw), name + behind)
    assert file.container in {container, container + behind}
    assert len(found) == records
    assert all(record.problem is None for record in found) or name == "a.jsonl"


@pytest.mark.parametrize("pack", [bytes, make.gz, make.zst])
def test_an_array_on_one_line_beyond_the_bound_of_lines_is_read_to_its_end(opened, monkeypatch, pack):  # fmt: skip
    monkeypatch.setattr(streams, "MAX_LINE", 500)
    monkeypatch.setattr(json_text, "MAX_LINE", 500)
    monkeypatch.setattr(json_elements, "MAX_LINE", 500)
    _, found, _ = opened(pack(json.dumps(make.rows(50)).encode()), "a.json")
    assert [record.value for record in found] == make.rows(50)


def test_a_first_line_that_is_longer_than_what_is_looked_at_is_a_line(opened):
    long = [make.row(answer="x" * 300_000), make.row()]
    file, found, _ = opened(make.json_lines([long[0], '{"cut": [', long[1]]), "a.jsonl")
    assert file.container == "jsonl"
    assert [record.problem is None for record in found] == [True, False, True]


def test_a_broken_first_line_costs_one_row(opened):
    file, found, _ = opened(make.json_lines(['{"messages": [', *make.rows(3)]), "a.jsonl")
    assert file.container == "jsonl"
    assert [record.problem is None for record in found] == [False, True, True, True]


@pytest.mark.parametrize(
    ("raw", "codes"),
    [
        (b"\xef\xbb\xbf" + TABLE, {"bom"}),
        (TABLE.replace(b"\n", b"\r\n"), {"crlf"}),
        (TABLE.decode().encode("utf-16"), {"encoding_converted"}),
        ("frage,antwort\nGröße?,Zwölf\n".encode("cp1252"), {"encoding_converted"}),
        (TABLE, set()),
    ],
)
def test_what_is_odd_about_the_bytes_is_noted(opened, raw, codes):
    _, found, passed = opened(raw, "a.csv")
    assert {problem.code for problem, _ in passed.notes} == codes
    assert found


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("\n".join(json.dumps(r, indent=1) for r in make.rows(2)), "a.jsonl"),
        (json.dumps(make.rows(2)), "a.jsonl"),
    ],
)
def test_objects_over_several_lines_are_noted(opened, raw, name):
    assert "not_one_object_per_line" in opened(raw, name)[2].dropped


def test_a_file_of_bare_returns(opened):
    _, found, _ = opened(TABLE.replace(b"\n", b"\r"), "a.csv")
    assert lines_of(found) == [2, 3]
    assert lines_of(opened(LINES.replace(b"\n", b"\r"), "a.jsonl")[1]) == [1, 2, 3]


def test_rows_of_a_table_that_cannot_be_used_as_they_are(opened):
    raw = b'question,answer\na,b\n"c,d\n\n,\ne,f,g\nh,i,,\nj\n'
    _, found, _ = opened(raw, "a.csv")
    assert [(r.line, r.problem and r.problem.code) for r in found] == [
        (2, None), (3, "bad_quoting"), (4, "empty_line"), (5, "empty_line"), (6, "too_many_cells"), (7, None), (8, None),
    ]  # fmt: skip


def test_titles_above_a_header_are_none_of_its_rows(opened):
    file, found, _ = opened(b"Export of March,\n,\nquestion,answer\na,b\n", "a.csv")
    assert (file.header, lines_of(found)) == (("question", "answer"), [4])


def test_a_table_without_a_header_gets_numbered_columns(opened):
    raw = b"Why is the sky blue today?,Because light is scattered by the air.\n" * 1
    raw += b"When does the shop open?,It opens at nine in the morning.\n"
    file, found, _ = opened(raw, "a.csv")
    assert (file.header, lines_of(found)) == (("column 1", "column 2"), [1, 2])


# Workbooks


def test_the_sheet_with_questions_and_answers_is_taken(opened):
    sheets = {"Notes": [["x", "y"]] * 9, "FAQ": PAIRS}
    _, found, passed = opened(make.workbook(sheets), "a.xlsx")
    assert lines_of(found) == [2, 3]
    choice = passed.reading.choices["sheet"]
    assert (choice.value, choice.others, choice.close) == ("FAQ", ("Notes",), False)


def test_two_such_sheets_have_to_be_chosen_between(opened):
    sheets = {"One": PAIRS[:2], "Two": PAIRS}
    choice = opened(make.workbook(sheets), "a.xlsx")[2].reading.choices["sheet"]
    assert (choice.value, choice.close) == ("Two", True)
    chosen = opened(make.workbook(sheets), "a.xlsx", sheet="One")
    assert len(chosen[1]) == 1
    assert not chosen[2].reading.choices["sheet"].close


def test_a_sheet_that_is_not_there(opened):
    assert refused(opened, make.workbook({"S": PAIRS}), "a.xlsx", sheet="T") == "unknown_sheet"


def test_a_workbook_of_nothing(opened):
    _, found, passed = opened(make.workbook({"S": []}), "a.xlsx")
    assert (found, list(passed.dropped)) == ([], ["empty_file"])


# Archives


def test_lines_inside_an_archive_are_those_of_the_member(opened):
    raw = make.zipped({"readme.md": b"# x", "rows.jsonl": b"\n{\n" + LINES})
    _, found, passed = opened(raw, "a.zip")
    assert lines_of(found) == [1, 2, 3, 4, 5]
    assert passed.reading.choices["member"].value == "rows.jsonl"


def test_a_member_can_be_asked_for(opened):
    raw = make.zipped({"a.jsonl": LINES, "b.csv": TABLE})
    assert len(opened(raw, "a.zip", member="b.csv")[1]) == 2
    assert refused(opened, raw, "a.zip", member="c.csv") == "unknown_member"


def test_training_and_held_out_members_are_read_as_one(opened):
    raw = make.zipped({"val.jsonl": LINES, "train.jsonl": LINES})
    file, found, passed = opened(raw, "a.zip")
    assert [record.split for record in found] == ["train"] * 3 + ["validation"] * 3
    assert passed.reading.choices["member"].value == "train.jsonl, val.jsonl"
    assert file.survey.sha256


def test_the_day_files_of_a_slack_export_are_one(opened):
    day = json.dumps([{"type": "message", "user": "U1", "ts": "1.0", "text": "x"}]).encode()
    raw = make.zipped({"users.json": b"[]", "c/2024-01-02.json": day, "c/2024-01-01.json": day})
    file, found, _ = opened(raw, "a.zip")
    assert (file.format, len(found)) == ("slack", 2)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (make.zipped({"a.jsonl": make.zipped({"b.jsonl": LINES})}), "nested_archive"),
        (make.zipped({"a.jsonl": make.gz(make.zipped({"b.jsonl": LINES}))}), "nested_archive"),
        (make.zipped({"a.jsonl": b"PK\x03\x04 and no archive"}), "nested_archive"),
        (make.zipped({"b.zip": make.zipped({"b.jsonl": LINES})}), "no_data_in_archive"),
        (make.zipped({"../a.jsonl": LINES}), "unsafe_archive"),
        (make.zipped({"photo.png": b"x"}), "no_data_in_archive"),
        (make.zipped({}), "no_data_in_archive"),
        (make.zipped({"a.jsonl": LINES})[:-30], "damaged_file"),
        (make.zipped({"a.jsonl": bytes(40 << 20)}), "decompression_bound"),
        (b"PK\x03\x04", "damaged_file"),
        (b"PAR1 and no more", "damaged_file"),
    ],
)
def test_archives_that_are_refused(opened, raw, code):
    assert refused(opened, raw, "a.zip") == code


def test_an_encrypted_archive(opened):
    raw = bytearray(make.zipped({"a.jsonl": LINES}))
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    assert refused(opened, bytes(raw), "a.zip") == "encrypted"


def test_an_archive_of_too_many(opened, monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    raw = make.zipped({f"{n}.jsonl": b"" for n in range(4)})
    assert refused(opened, raw, "a.zip") == "too_many_members"


def test_nothing_is_left_behind(opened, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    for raw in (make.zipped({"a.jsonl": LINES}), make.gz(make.workbook({"S": PAIRS}))):
        opened(raw, "a")
    refused(opened, make.zipped({"a.jsonl": make.zipped({})}), "a")
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_missing_file(tmp_path):
    with pytest.raises(NotFoundError), opening.opened(tmp_path / "x", Pass().reading):
        pass


GERMAN = [
    make.row(question=f"Wie groß ist Nummer {n}?", answer="Größe für Köche.") for n in range(60)
]


def test_a_row_of_other_bytes_is_one_bad_row_in_lines(opened):
    raw = b"\n".join(json.dumps(row, ensure_ascii=False).encode() for row in GERMAN)
    _, found, passed = opened(raw.replace("groß ist Nummer 7?".encode(), b"gro\xdf"), "a.jsonl")
    assert passed.notes == []
    assert [(r.line, r.problem) for r in found if r.problem] == [(8, Problem("bad_json", "not UTF-8"))]  # fmt: skip


def test_a_row_of_other_bytes_shows_it_in_a_table(opened):
    raw = "frage,antwort\n" + "Größe?,Für Köche.\n" * 30
    _, found, _ = opened(raw.encode() + b"Gr\xf6\xdfe?,x\n", "a.csv")
    assert found[29].value == {"frage": "Größe?", "antwort": "Für Köche."}
    assert found[30].value["frage"].count("\ufffd") == 2


def test_lists_of_a_document_that_are_not_read_are_noted(opened):
    raw = json.dumps({"data": make.rows(2), "items": make.rows(3)})
    _, found, passed = opened(raw, "a.json")
    assert (len(found), passed.dropped) == (2, {"list_not_used": "items: 3 records"})


def test_a_record_with_many_tools_is_one_row(opened):
    tools = [{"type": "function", "function": {"name": f"tool {n}", "description": "x" * 200}} for n in range(2000)]  # fmt: skip
    raw = json.dumps({"tools": tools, **make.row()})
    _, found, passed = opened(raw, "a.json")
    assert [sorted(r.value) for r in found] == [["messages", "tools"]]
    assert passed.notes == []


def test_a_table_wider_than_any_is_refused(opened):
    assert refused(opened, "a," * 20_000 + "\n", "a.csv") == "too_many_columns"
    assert len(opened("question,answer\na,b\n" + "," * 20_000 + "x\n", "a.csv")[1]) == 2


def test_a_text_of_many_commas_is_no_table(opened):
    assert opened("a," * 50_000, "a.txt")[0].container == "txt"


@pytest.mark.parametrize("raw", [b"hunter2,alice\nqwertz,bartholomew\n", b"hunter2,alice\none two three four,b\n"])  # fmt: skip
def test_a_first_row_that_may_be_data_is_shown_nowhere(opened, raw):
    assert opened(raw, "a.csv")[0].header == ("column 1", "column 2")
    with pytest.raises(DatasetError) as caught:
        opened(raw, "a.csv", columns={"prompt": "x"})
    assert "hunter2" not in str(caught.value)


def test_blanks_behind_the_delimiter_are_none_of_the_cells(opened):
    _, found, _ = opened('prompt, completion\n"d, x", "e, y"\n', "a.csv")
    assert [record.value for record in found] == [{"prompt": "d, x", "completion": "e, y"}]


def test_what_a_crash_left_at_the_end_is_no_row(opened):
    for raw, name in ((LINES, "a.jsonl"), (json.dumps(make.rows(3)).encode(), "a.json")):
        file, found, _ = opened(raw + bytes(10), name)
        assert (file.survey.magic, len(found)) == ("text", 3)


def test_bare_returns_with_a_last_line_feed(opened):
    assert lines_of(opened(LINES.strip().replace(b"\n", b"\r") + b"\n", "a.jsonl")[1]) == [1, 2, 3]
