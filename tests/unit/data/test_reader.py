import csv
import hashlib
import io
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from podtune.app import data_doctor
from podtune.app.settings import Settings
from podtune.core.dataset import Severity
from podtune.core.errors import DatasetError, NotFoundError, PodtuneError, SpecError
from podtune.data import canonical, reader
from podtune.data.containers import json_text, streams, tables, workbook_bounds
from podtune.data.record import ReadOptions
from support import data_files as make

SHARED = Path(__file__).resolve().parents[4] / "shared"
SAMPLES = SHARED / "data-samples" / "index.jsonl"
HOSTILE = SHARED / "malicious-inputs-dev.jsonl"
FIELDS = ("format", "container", "encoding", "rows", "good_rows", "good_rows_after_repair", "errors", "warnings",
          "duplicates", "needs_choice", "first_row")  # fmt: skip


def good(number=1):
    return json.dumps(make.row(f"Q{number}", f"A{number}"))


def write(folder, content, name="rows.jsonl"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(folder, content, name="rows.jsonl", **options):
    return reader.read(write(folder, content, name), ReadOptions(**options))


def errors(data):
    return [(f.code, f.line, f.row) for f in data.report.errors()]


def warnings(data):
    found = data.report.of_severity(Severity.WARNING)
    return [(f.code, f.line) for f in found if f.code != "too_few_rows"]


def texts(data):
    return [[m.content for m in row.messages] for row in data.conversations]


class Taken:
    """One pass over a file: the report, the good rows and the rejected ones."""

    def __init__(self, path, options=reader.NO_OPTIONS):
        self.kept, self.rejected = [], []
        found = reader.inspect(
            path, options, self.kept.append, lambda row, file: self.rejected.append(row)
        )
        self.report = found.report

    def canonical(self):
        return b"".join(map(canonical.line_of, self.kept))


# The samples that the readers of this project are measured by


def entries(path):
    if not path.is_file():
        pytest.skip(f"no samples at {path}")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def test_the_samples_are_read_as_their_index_says(tmp_path):
    found = {}
    index = entries(SAMPLES)
    for entry in index:
        source = str(SAMPLES.parent / entry["file"])
        facts = data_doctor.examine(source, Settings(home=tmp_path), ReadOptions()).facts
        found[entry["file"]] = {name: facts[name] for name in FIELDS}
    assert found == {e["file"]: {name: e[name] for name in FIELDS} for e in index}
    assert len(index) == 15


@pytest.mark.parametrize("number", range(14, 21))
def test_hostile_inputs_have_their_expected_outcome(tmp_path, number):
    entry = next(e for e in entries(HOSTILE) if e["id"] == f"D{number:03}")
    payload, expected = entry["payload"], entry["expected"]
    if entry["category"] == "archive" and isinstance(payload, str):
        raw, name = make.zipped({payload: good().encode()}), "rows.zip"
    elif entry["category"] == "archive":
        raw, name = make.zipped({f"{payload['name']}.jsonl": payload["linkname"].encode()}, external_attr=0o120777 << 16), "rows.zip"  # fmt: skip
    else:
        text = payload["repeat"][0] * payload["repeat"][1] if isinstance(payload, dict) else payload
        raw, name = f"{good(1)}\n{text}\n{good(2)}\n".encode(), "rows.jsonl"
    path = write(tmp_path, raw, name)
    if expected == "fail_job":
        try:
            assert reader.inspect(path).report.good_rows == 0
        except DatasetError as error:
            assert error.code == "unsafe_archive"  # noqa: PT017 - either way nothing is trained
        return
    data = reader.read(path)
    if expected == "row_error":
        assert [line for _, line, _ in errors(data)] == [2]
        assert data.report.good_rows == 2
    else:
        assert expected == "store_literal"
        assert "{{7*7}}" in texts(data)[1]


# JSON lines


def test_messages_are_read_with_their_lines(tmp_path):
    data = read(tmp_path, make.json_lines(make.rows(60)))
    assert (data.report.rows, data.report.good_rows, data.report.findings) == (60, 60, ())
    assert (data.report.format, data.report.container) == ("chat_messages", "jsonl")
    assert texts(data)[3] == ["How is thing 4 done?", "With tool 4, by hand."]
    assert [row.line for row in data.conversations] == list(range(1, 61))


def test_prompt_and_completion_are_read(tmp_path):
    data = read(tmp_path, '{"prompt": "Why?", "completion": "Because.", "system": "Be short."}\n')
    assert texts(data) == [["Be short.", "Why?", "Because."]]
    assert data.report.format == "prompt_completion"


def test_a_prompt_that_mentions_messages_is_still_a_prompt(tmp_path):
    data = read(tmp_path, '{"prompt": "messages", "completion": "Because."}\n')
    assert data.report.format == "prompt_completion"


def test_the_report_names_the_file_and_its_hash(tmp_path):
    path = write(tmp_path, good())
    report = reader.read(path).report
    assert report.source == str(path)
    assert report.size_bytes == path.stat().st_size
    assert report.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_all_errors_come_at_once_each_with_its_line_and_row(tmp_path):
    lines = [
        good(1),
        '{"messages": [}',
        "",
        '{"messages": [{"content": "x"}, {"role": "assistant", "content": "y"}]}',
        "[1, 2]",
        '{"messages": [{"role": "user", "content": "x"}]}',
        '{"prompt": "x", "completion": ""}',
        '{"text": "x"}',
        good(2),
        '{"prompt": "x", "completion": "cut',
    ]
    data = read(tmp_path, "\n".join(lines))
    assert errors(data) == [
        ("bad_json", 2, 2),
        ("missing_role", 4, 3),
        ("no_messages", 5, 4),
        ("no_assistant", 6, 5),
        ("empty_answer", 7, 6),
        ("no_messages", 8, 7),
        ("bad_json", 10, 9),
    ]
    assert warnings(data) == [("empty_line", 3)]
    assert (data.report.rows, data.report.good_rows) == (9, 2)
    assert texts(data) == [["Q1", "A1"], ["Q2", "A2"]]


def test_findings_are_in_the_order_of_the_file(tmp_path):
    data = read(tmp_path, f"{good()}\r\n\r\n{{\r\n{good()}\r\n".encode())
    lines = [f.line or 0 for f in data.report.findings]
    assert lines == sorted(lines)


def test_a_byte_order_mark_is_left_out_and_said(tmp_path):
    data = read(tmp_path, "\ufeff" + good())
    assert warnings(data) == [("bom", None)]
    assert texts(data) == [["Q1", "A1"]]


def test_windows_line_ends_are_read_and_said_once(tmp_path):
    data = read(tmp_path, f"{good(1)}\r\n{good(2)}\r\n")
    assert warnings(data) == [("crlf", None)]
    assert [row.line for row in data.conversations] == [1, 2]


def test_blank_lines_are_no_rows_but_count_as_lines(tmp_path):
    data = read(tmp_path, f"\n{good(1)}\n   \n\n{good(2)}\n\n")
    assert [row.line for row in data.conversations] == [2, 5]
    assert [line for code, line in warnings(data) if code == "empty_line"] == [1, 3, 4, 6]
    assert data.report.rows == 2


def test_the_end_of_the_last_line_is_no_empty_line(tmp_path):
    assert warnings(read(tmp_path, good() + "\n")) == []


def test_unicode_line_separators_do_not_end_a_line(tmp_path):
    line = json.dumps({"prompt": "a\u2028b\u0085c", "completion": "d"}, ensure_ascii=False)
    data = read(tmp_path, f"{line}\n{good()}\n")
    assert texts(data)[0] == ["a\u2028b\u0085c", "d"]
    assert data.conversations[1].line == 2


def test_repeated_rows_are_kept_and_said(tmp_path):
    spaced = good(1).replace("A1", " A1 ")
    data = read(tmp_path, "\n".join([good(1), good(2), spaced, good(1)]))
    assert warnings(data) == [("duplicate", 3), ("duplicate", 4)]
    assert [f.of for f in data.report.findings if f.code == "duplicate"] == [1, 1]
    assert (data.report.good_rows, data.report.duplicates) == (4, 2)


@pytest.mark.parametrize(("rows", "is_said"), [(1, True), (2, True), (3, False)])
def test_too_few_rows_are_said(tmp_path, rows, is_said):
    data = read(tmp_path, "\n".join(good(i) for i in range(rows)))
    assert ("too_few_rows" in data.report.counts) == is_said


@pytest.mark.parametrize(
    "line",
    ["nonsense", '{"a": 1} {"b": 2}', '{"a": 1},', "{'a': 1}", '{"a": NaN}', '{"a": "\\ud800"}', '{"a": 1e999999}',
     '{"a": "tab\tinside"}', "[" * 50_000, '{"a":' * 50_000],
    ids=lambda line: line[:20],
)  # fmt: skip
def test_what_is_no_json_is_one_bad_row(tmp_path, line):
    data = read(tmp_path, f"{good(1)}\n{line}\n{good(2)}\n")
    assert [at for _, at, _ in errors(data)] == [2]
    assert errors(data)[0][0] in {"bad_json", "no_messages"}
    assert data.report.good_rows == 2


def test_a_line_beyond_the_bound_is_one_bad_row(tmp_path, monkeypatch):
    for module in (streams, json_text):
        monkeypatch.setattr(module, "MAX_LINE", 2000)
    long = json.dumps(make.row(answer="x" * 5000))
    data = read(tmp_path, f"{good(1)}\n{long}\n{good(2)}\n")
    assert errors(data) == [("bad_json", 2, 2)]
    assert data.report.good_rows == 2


# Tables


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_is_read_with_any_usual_delimiter(tmp_path, delimiter):
    rows = [["id", "question", "answer"], ["1", "Why?", "Because."], ["2", "When?", "Now."]]
    data = read(tmp_path, "\n".join(delimiter.join(cells) for cells in rows), "table.csv")
    assert texts(data) == [["Why?", "Because."], ["When?", "Now."]]
    assert [row.line for row in data.conversations] == [2, 3]
    assert data.report.columns == {"prompt": "question", "completion": "answer"}
    assert data.report.format == "qa_table"


def test_a_tsv_is_split_at_tabs_whatever_its_header_holds(tmp_path):
    data = read(tmp_path, "prompt\tcompletion\ta,b,c\nx, y\tz\t\n", "table.tsv")
    assert texts(data) == [["x, y", "z"]]
    assert data.report.container == "tsv"


def test_cells_over_several_lines_keep_the_physical_lines_right(tmp_path):
    text = 'prompt,completion\n"a\nb\nc","one\n\ntwo"\nd,\n"e ""quoted"", f",g\n'
    data = read(tmp_path, text, "table.csv")
    assert texts(data) == [["a\nb\nc", "one\n\ntwo"], ['e "quoted", f', "g"]]
    assert [row.line for row in data.conversations] == [2, 8]
    assert errors(data) == [("empty_answer", 7, 2)]


def test_a_table_with_mark_windows_ends_and_blank_lines(tmp_path):
    text = "\ufeffprompt,completion\r\na,b\r\n\r\n,\r\nc,d\r\n"
    data = read(tmp_path, text, "table.csv")
    assert texts(data) == [["a", "b"], ["c", "d"]]
    assert [row.line for row in data.conversations] == [2, 5]
    assert [code for code, _ in warnings(data)][:2] == ["bom", "crlf"]


def test_columns_can_be_named(tmp_path):
    columns = {"prompt": "Spalte A", "completion": "b"}
    data = read(tmp_path, "spalte a,b,c\na,b,c\n", "t.csv", columns=columns)
    assert texts(data) == [["a", "b"]]


def test_a_system_column_comes_first(tmp_path):
    data = read(tmp_path, "question,answer,system\na,b,s\nc,d,\n", "t.csv")
    assert texts(data) == [["s", "a", "b"], ["c", "d"]]


def test_a_table_without_the_columns_says_what_it_has(tmp_path):
    data = read(
        tmp_path,
        "sensor,made at\ncellar-07-second,2024-02-01T08:30\nroof-11-northern,2024-02-01T08:30\n",
        "t.csv",
    )
    (error,) = data.report.errors()
    assert (error.code, error.line, data.report.good_rows) == ("missing_column", None, 0)
    assert "sensor, made at" in error.message
    assert "--map prompt=NAME" in error.advice


def test_a_named_column_that_is_not_there_is_refused_by_its_name(tmp_path):
    with pytest.raises(DatasetError, match="frage"):
        read(tmp_path, "prompt,completion\na,b\n", "t.csv", columns={"prompt": "frage"})


def test_a_row_with_too_few_cells_is_one_bad_row(tmp_path):
    data = read(tmp_path, "id,question,answer\n1,a,b\n2,c\n3,d,e,\n", "t.csv")
    assert errors(data) == [("missing_column", 3, 2)]
    assert data.report.good_rows == 2


def test_an_answer_with_a_bare_comma_loses_nothing_in_silence(tmp_path):
    data = read(tmp_path, "question,answer\na,b\nc,d, and more\n", "t.csv")
    assert errors(data) == [("bad_quoting", 3, 2)]


def test_a_row_without_a_question_is_a_bad_row(tmp_path):
    data = read(tmp_path, "question,answer\na,b\n,d\n", "t.csv")
    assert [(line, row) for _, line, row in errors(data)] == [(3, 2)]


def test_a_quote_that_is_never_closed_is_found_where_it_opens(tmp_path):
    data = read(tmp_path, 'prompt,completion\na,b\n"c,d\ne,f\n', "t.csv")
    assert errors(data) == [("bad_quoting", 3, 2)]
    assert texts(data) == [["a", "b"], ["e", "f"]]


def test_rows_after_one_with_bad_quotes_are_not_left_out_in_silence(tmp_path):
    data = read(tmp_path, 'prompt,completion\na,b\n"c"x,d\ne,f\ng,h\n', "t.csv")
    assert errors(data) == [("bad_quoting", 3, 2)]
    assert (data.report.rows, data.report.good_rows) == (4, 3)


def test_a_long_cell_is_no_quoting_problem(tmp_path):
    long = "word " * 40_000
    data = read(tmp_path, f"prompt,completion\n{long},b\nc,d\n", "t.csv")
    assert errors(data) == []
    assert data.report.good_rows == 2


def test_a_line_of_a_table_beyond_the_bound_is_never_cut_in_silence(tmp_path, monkeypatch):
    for module in (streams, tables):
        monkeypatch.setattr(module, "MAX_LINE", 2000)
    data = read(tmp_path, f"question,answer\na,b\nc,{'x' * 5000}\nd,e\n", "t.csv")
    assert errors(data) == [("bad_quoting", 3, 2)]
    assert texts(data) == [["a", "b"], ["d", "e"]]


cells = st.text(
    alphabet=st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=20
)


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=8), st.sampled_from(",;\t"))
@settings(max_examples=60, deadline=None)
def test_every_table_that_csv_writes_is_read_back(tmp_path_factory, rows, delimiter):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    starts = []
    for row in [("prompt", "completion"), *rows]:
        starts.append(out.getvalue().count("\n") + 1)
        writer.writerow(row)
    data = read(tmp_path_factory.mktemp("table"), out.getvalue(), "t.csv")
    filled = [
        (line, pair) for line, pair in zip(starts[1:], rows, strict=True) if any(c.strip() for c in pair)
    ]  # fmt: skip
    assert data.report.rows == len(filled)
    plain = [
        (line, [p.strip(), c.strip()]) for line, (p, c) in filled if p.strip() and c.strip() and "<" not in p + c
    ]  # fmt: skip
    found = [(r.line, t) for r, t in zip(data.conversations, texts(data), strict=True)]
    assert [entry for entry in plain if entry not in found and "[" not in str(entry)] == []


# Files that are none


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("rows.jsonl", b"", "empty_file"),
        ("rows.csv", b"", "empty_file"),
        ("rows.jsonl", b" \n\r\n\t\n", "empty_file"),
        ("rows.csv", b"\n\n", "empty_file"),
        ("rows.csv", b"question,answer\n", "empty_file"),
        ("rows.json", b"[]", "empty_file"),
        ("rows.jsonl", b"\xef\xbb\xbf", "empty_file"),
        ("rows.jsonl.gz", make.gz(b""), "empty_file"),
        ("rows.jsonl", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "not_text"),
        ("rows.jsonl", bytes(range(1, 256)) * 4, "not_text"),
        ("rows.jsonl.gz", make.gz(bytes(range(256))), "not_text"),
        ("notes.txt", b"Just a story about a fox.\n", "no_messages"),
        ("rows.jsonl", b'{"a": 1}\n{"a": 2}\n', "no_messages"),
    ],
)
def test_a_file_that_is_no_data_gives_a_report_that_says_so(tmp_path, name, content, code):
    data = read(tmp_path, content, name)
    assert code in {f.code for f in data.report.errors() if f.line is None}
    assert data.report.good_rows == 0


@pytest.mark.parametrize("codec", ["cp1252", "utf-16", "utf-16-le", "utf-32"])
def test_text_in_another_encoding_is_converted_and_said(tmp_path, codec):
    line = json.dumps({"prompt": "Größe?", "completion": "Zwölf."}, ensure_ascii=False)
    data = read(tmp_path, f"{line}\n".encode(codec))
    assert texts(data) == [["Größe?", "Zwölf."]]
    assert "encoding_converted" in data.report.counts


def test_a_missing_file(tmp_path):
    with pytest.raises(NotFoundError, match=r"nothing\.jsonl") as caught:
        reader.read(tmp_path / "nothing.jsonl")
    assert caught.value.code == "file_not_found"


@pytest.mark.parametrize(
    ("options", "code"),
    [({"fixes": {"magic"}}, "unknown_repair"), ({"format": "odd"}, "unknown_format"), ({"columns": {"mood": "x"}}, "unknown_role")],
)  # fmt: skip
def test_what_is_asked_for_has_to_be_known(tmp_path, options, code):
    with pytest.raises(SpecError) as caught:
        read(tmp_path, good(), **options)
    assert caught.value.code == code


# Folders and patterns


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, make.json_lines([make.row("a", "b"), make.row("c", "d")]), "train.jsonl")
    write(tmp_path, "question,answer\na,b\ne,\n", "val.csv")
    write(tmp_path, "nothing in it", "notes.txt")
    return tmp_path


def test_a_folder_is_read_as_one_with_the_sides_its_names_say(folder):
    kept, rejected = [], []
    found = reader.inspect(folder, sink=kept.append, reject=lambda row, file: rejected.append((row.line, file)))  # fmt: skip
    assert (found.report.container, found.report.rows, found.report.good_rows) == ("folder", 4, 3)
    assert sorted(row.split for row in kept) == ["train", "train", "validation"]
    assert rejected == [(3, "val.csv")]
    assert found.held_rows == 1
    assert found.first_row is not None
    assert found.report.counts["file_not_used"] == 1
    assert ("empty_answer", "val.csv") in [(f.code, f.file) for f in found.report.findings]
    assert ("duplicate", "val.csv") in [(f.code, f.file) for f in found.report.findings]


def test_a_pattern_is_read_as_one(folder):
    assert reader.read(folder / "*.jsonl").report.container == "folder"


def test_an_empty_folder(tmp_path):
    with pytest.raises(NotFoundError):
        reader.read(tmp_path)


def test_a_file_that_is_called_test_is_not_held_out_by_itself(tmp_path):
    path = write(tmp_path, good(), "test.jsonl")
    kept = []
    assert reader.inspect(path, sink=kept.append).held_rows == 0
    assert kept[0].split is None


def test_a_path_in_the_home_folder_is_one_file(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path, good(), "rows.jsonl")
    assert reader.read("~/rows.jsonl").report.container == "jsonl"


# What always holds

LINES = {
    "good": (good(), 0, True),
    "pair": ('{"prompt": "x", "completion": "y"}', 0, True),
    "trailing user": (json.dumps({"messages": [*make.row()["messages"], {"role": "user", "content": "z"}]}), 0, True),
    "cut": ('{"prompt": "x', 1, True),
    "no role": ('{"messages": [{"content": "x"}, {"role": "boss", "content": "x"}]}', 2, True),
    "no answer": ('{"messages": [{"role": "user", "content": "x"}]}', 1, True),
    "list": ("[]", 1, True),
    "blank": ("  ", 0, False),
}  # fmt: skip


@given(
    st.lists(st.sampled_from(sorted(LINES)), min_size=1, max_size=30).filter(
        lambda ks: set(ks) & {"good", "pair", "trailing user"}
    )
)
@settings(max_examples=60, deadline=None)
def test_rows_are_the_good_ones_and_the_ones_with_errors(tmp_path_factory, kinds):
    # a first line that names the form: what a file is made of is told from its rows
    data = read(tmp_path_factory.mktemp("mix"), "\n".join([good(), *(LINES[k][0] for k in kinds)]))
    report = data.report
    assert report.rows == 1 + sum(LINES[kind][2] for kind in kinds)
    assert report.rows == report.good_rows + len({f.row for f in report.errors()})
    assert len(data.conversations) == report.good_rows
    assert {f.line for f in report.errors()} == {
        number for number, kind in enumerate(kinds, start=2) if LINES[kind][1]
    }


PAIRS = [["question", "answer"], *([f"What is {i}?", f"It is number {i}."] for i in range(5))]
TABLE = "\n".join(",".join(line) for line in PAIRS).encode()
ROWS = make.json_lines(make.rows(5))
VALID = {
    "a.jsonl": ROWS,
    "a.json": json.dumps({"data": make.rows(5)}, indent=1).encode(),
    "b.json": b"\n".join(json.dumps(row, indent=1).encode() for row in make.rows(3)),
    "a.csv": TABLE,
    "a.jsonl.gz": make.gz(ROWS),
    "a.jsonl.zst": make.zst(ROWS),
    "a.zip": make.zipped({"a.jsonl": ROWS}),
    "b.zip": make.zipped({"a.xlsx": make.workbook({"S": PAIRS})}),
    "c.zip": make.zipped({"a.jsonl": make.gz(make.zipped({"b.jsonl": ROWS}))}),
    "a.xlsx": make.workbook({"S": PAIRS}),
    "a.parquet": make.parquet_file({"prompt": ["a", "b"], "completion": ["x", "y"]}),
    "a.pdf": make.pdf(["Q: How?", "A: So it goes.", "Q: Why?", "A: Because it is."]),
    "a.md": b"# FAQ\n\n## How?\nSo.\n\n## Why?\nBecause.\n",
    "a.txt": b"12.01.24, 10:00 - Ann: Hi?\n12.01.24, 10:01 - Bob: Yes.\n" * 3,
    "a.mbox": b"From a@b.c Mon Jan 1 00:00:00 2024\nFrom: a@b.c\nSubject: x\nMessage-ID: <1>\n\nHello?\n\n"
    b"From d@e.f Mon Jan 1 00:00:00 2024\nFrom: d@e.f\nIn-Reply-To: <1>\nSubject: Re: x\n\nYes.\n",
}  # fmt: skip
SUFFIXES = (
    ".jsonl",
    ".json",
    ".csv",
    ".tsv",
    ".xlsx",
    ".parquet",
    ".md",
    ".txt",
    ".pdf",
    ".mbox",
    ".zip",
    ".gz",
    "",
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.text(max_size=5)
        | st.sampled_from(["messages", "role", "content", "prompt", "completion", "conversations", "from", "value",
                           "chosen", "rejected", "instruction", "output", "text", "tools", "tool_calls", "comments"]),
        inner,
        max_size=4,
    ),
    max_leaves=10,
)  # fmt: skip


@st.composite
def corrupted(draw):
    """A valid file with bytes flipped, cut out, put in, or its end cut off."""
    name = draw(st.sampled_from(sorted(VALID)))
    raw = bytearray(VALID[name])
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(raw) - 1)))
        deed = draw(st.sampled_from(["flip", "cut", "end", "add"]))
        if deed == "flip" and raw:
            raw[at] ^= draw(st.integers(1, 255))
        elif deed == "cut":
            del raw[at : at + draw(st.integers(1, 40))]
        elif deed == "end":
            del raw[at:]
        else:
            raw[at:at] = draw(
                st.binary(max_size=8) | st.sampled_from([b'"', b"\n", b"{", b"[", b"\0"])
            )
    return name, bytes(raw)


anything = (
    st.binary(max_size=300)
    | st.text(max_size=100).map(lambda t: t.encode(errors="replace"))
    | st.text(alphabet='",;\t\r\n ab{}[]:\\', max_size=80).map(str.encode)
    | json_values.map(lambda v: json.dumps(v).encode())
    | st.lists(json_values, max_size=4).map(lambda vs: make.json_lines([*vs, make.row()]))
    | st.lists(st.lists(cells, max_size=4), max_size=5).map(
        lambda rows: "\n".join(",".join(f'"{c}"' for c in row) for row in rows).encode()
    )
)


def judged(path, options=reader.NO_OPTIONS):
    """Read it, and check what holds of every file; nothing where it is refused."""
    started = time.perf_counter()
    try:
        taken = Taken(path, options)
    except PodtuneError as error:
        assert error.code  # noqa: PT017 - most of these files are read without an error
        return None
    assert time.perf_counter() - started < 20
    report = taken.report
    dropped = report.repaired.get("drop-duplicates", 0)
    assert report.rows == report.good_rows + len(taken.rejected) + dropped
    assert report.good_rows == len(taken.kept)
    assert report.good_rows_after_repair >= report.good_rows
    bad = {f.row for f in report.errors() if f.row is not None}
    assert bad <= {row.row for row in taken.rejected}
    assert bad == {row.row for row in taken.rejected} or report.format == "unknown"
    return taken


@given(st.sampled_from(SUFFIXES), anything)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_bytes_make_the_reader_raise_anything_of_its_own(tmp_path_factory, suffix, raw):
    judged(write(tmp_path_factory.mktemp("any"), raw, f"rows{suffix}"))


@given(corrupted(), st.sampled_from([None, *SUFFIXES]))
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_damage_does_either(tmp_path_factory, given_file, suffix):
    name, raw = given_file
    judged(write(tmp_path_factory.mktemp("any"), raw, name if suffix is None else f"rows{suffix}"))


@given(corrupted(), st.sets(st.sampled_from(["all", "drop-duplicates", "redact-pii", "mojibake"])))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_same_bytes_give_the_same_report_and_the_same_rows(tmp_path_factory, given_file, fixes):
    name, raw = given_file
    options = ReadOptions(fixes=frozenset(fixes))
    folders = [tmp_path_factory.mktemp("any") for _ in range(2)]
    first, second = (judged(write(folder, raw, name), options) for folder in folders)
    if first is None:
        assert second is None
        return
    moved = second.report.model_copy(update={"source": first.report.source})
    assert (first.report, first.canonical(), first.rejected) == (moved, second.canonical(), second.rejected)  # fmt: skip


@pytest.mark.parametrize("name", sorted(VALID))
def test_the_valid_files_are_read(tmp_path, name):
    try:
        taken = Taken(write(tmp_path, VALID[name], name))
    except DatasetError as error:
        assert (name, error.code) == ("c.zip", "nested_archive")  # noqa: PT017
        return
    assert taken.report.good_rows == taken.report.rows > 0


# No finding holds the text of a row

MARKER = "Mx93kQ"
PLANTED = [
    f'{{"messages": [{{"role": "user", "content": "{MARKER}"}}]}}',
    f'{{"messages": [{{"role": "{MARKER}", "content": "{MARKER}"}}]}}',
    f'{{"messages": [{{"role": "assistant", "content": ["{MARKER}"]}}]}}',
    f'{{"messages": "{MARKER}"}}',
    f'{{"prompt": "{MARKER}", "completion": ""}}',
    f'{{"prompt": ["{MARKER}"], "completion": {{"x": "{MARKER}"}}}}',
    f'{{"text": "{MARKER}"}}',
    f'["{MARKER}"]',
    f'"{MARKER}"',
    f"{MARKER}",
    f'{{"prompt": {MARKER}, "completion": "x"}}',
    f'{{"prompt": "{MARKER}", "completion": "{MARKER}',
    f'{{"prompt": "{MARKER}\\q", "completion": "x"}}',
    f'{{"prompt": "{MARKER}", "completion": "{MARKER}"}}',
    f'{{"prompt": "{MARKER}", "completion": "{MARKER}"}}',
    f'{{"messages": [{{"role": "assistant", "content": "{MARKER}"}}, {{"role": "user", "content": "{MARKER}"}}]}}',
    f"{{'prompt': '{MARKER}', 'completion': {MARKER}}}",
    f'{{"messages": [{{"role": "user", "content": "a"}}, {{"role": "assistant", "content": null, "tool_calls": '
    f'[{{"id": "{MARKER}", "function": {{"name": "{MARKER}", "arguments": "{MARKER}"}}}}]}}]}}',
    f'{{"prompt": "{MARKER}@{MARKER}.com <|im_start|>", "completion": "{MARKER} and the"}}',
]  # fmt: skip


@pytest.mark.parametrize("pack", [bytes, make.gz, lambda raw: make.zipped({"a.jsonl": raw})])
def test_no_finding_holds_the_text_of_a_row(tmp_path, pack):
    raw = make.json_lines([*make.rows(20), *PLANTED])
    taken = Taken(write(tmp_path, pack(raw), "rows.jsonl"))
    assert {f.line for f in taken.report.findings} >= set(range(21, 34))
    assert MARKER not in taken.report.model_dump_json()
    assert MARKER not in str(taken.rejected)


def test_no_finding_of_a_table_holds_the_text_of_a_row(tmp_path):
    text = (
        f'prompt,completion\n{MARKER},\n{MARKER}\n{MARKER},{MARKER}\n{MARKER},{MARKER}\n{MARKER},{MARKER},{MARKER}\n"{MARKER}\n'
    )  # fmt: skip
    taken = Taken(write(tmp_path, text, "t.csv"))
    assert set(taken.report.counts) >= {"empty_answer", "missing_column", "duplicate", "bad_quoting", "too_many_cells"}  # fmt: skip
    assert MARKER not in taken.report.model_dump_json() + str(taken.rejected)


@given(
    st.lists(st.sampled_from(PLANTED), min_size=1, max_size=6), st.randoms(use_true_random=False)
)
@settings(max_examples=100, deadline=None)
def test_no_damaged_row_gets_into_a_finding(tmp_path_factory, lines, random):
    raw = bytearray(make.json_lines([*make.rows(3), *lines]))
    for _ in range(4):
        at = random.randrange(len(raw))
        raw[at : at + random.randrange(3)] = random.choice([b"", b'"', b",", b"\\", b"\n", b"}"])
    path = write(tmp_path_factory.mktemp("any"), bytes(raw), random.choice(["a.jsonl", "a.json"]))
    taken = judged(path)
    # keys are named, and a quote that is cut may make a key of what was a value
    told = [
        f
        for f in taken.report.findings
        if f.code not in {"no_messages", "keys_not_used", "missing_column"}
    ]
    assert MARKER not in str(told)


# Physical lines

BAD = {
    "no_assistant": {"messages": [{"role": "user", "content": "line one\nline two"}]},
    "empty_answer": {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": " "}]},
    "missing_role": {"messages": [{"content": "q"}, {"role": "assistant", "content": "a"}]},
}  # fmt: skip

plans = st.lists(st.sampled_from(["good", "good", *BAD]), min_size=1, max_size=8).map(lambda kinds: ["good", *kinds])  # fmt: skip
packs = st.sampled_from([
    ("{}", bytes), ("{}.gz", make.gz), ("{}.zst", make.zst), ("a.zip", lambda raw: raw)])  # fmt: skip


def planted(kinds):
    return [
        BAD[kind] if kind in BAD else make.row(f"q{n}", f"a{n}") for n, kind in enumerate(kinds)
    ]


def bad_lines(kinds, starts):
    return [(kind, line, n) for n, (kind, line) in enumerate(zip(kinds, starts, strict=True), 1) if kind in BAD]  # fmt: skip


def packed(folder, raw, name, pack):
    pattern, compress = pack
    raw = make.zipped({name: raw}) if pattern == "a.zip" else compress(raw)
    return reader.read(write(folder, raw, pattern.format(name)))


@given(plans, packs, st.lists(st.integers(0, 2), min_size=9, max_size=9), st.sampled_from(["\n", "\r\n"]))  # fmt: skip
@settings(max_examples=50, deadline=None)
def test_lines_of_bad_rows_in_json_lines(tmp_path_factory, kinds, pack, gaps, end):
    lines, starts = [], []
    for value, gap in zip(planted(kinds), gaps, strict=False):
        lines += [""] * gap
        lines.append(json.dumps(value))
        starts.append(len(lines))
    raw = end.join(lines).encode()
    assert errors(packed(tmp_path_factory.mktemp("l"), raw, "a.jsonl", pack)) == bad_lines(kinds, starts)  # fmt: skip


@given(plans, packs, st.sampled_from(["array", "stream", "key"]), st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=60, deadline=None)
def test_lines_of_bad_rows_in_pretty_printed_json(tmp_path_factory, kinds, pack, form, end):
    parts = [json.dumps(value, indent=2) for value in planted(kinds)]
    first = {"array": 2, "stream": 1, "key": 3}[form]
    starts = [first + sum(p.count("\n") + 1 for p in parts[:n]) for n in range(len(parts))]
    text = {
        "array": "[\n" + ",\n".join(parts) + "\n]",
        "stream": "\n".join(parts),
        "key": '{"count": 1,\n"data": [\n' + ",\n".join(parts) + "\n]}",
    }[form]
    data = packed(tmp_path_factory.mktemp("l"), text.replace("\n", end).encode(), "a.json", pack)
    assert errors(data) == bad_lines(kinds, starts)
    assert data.report.rows == len(kinds)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=8), packs, st.sampled_from(["\n", "\r\n"]))  # fmt: skip
@settings(max_examples=50, deadline=None)
def test_lines_of_bad_rows_in_tables_with_long_cells(tmp_path_factory, plan, pack, end):
    lines, expected = ["question,answer"], []
    for number, (extra, is_bad) in enumerate(plan, start=1):
        if is_bad:
            expected.append(("empty_answer", len(lines) + 1, number))
        question = "\n".join(f"part {n} of {number}" for n in range(extra + 1))
        lines += f'"{question}",{"" if is_bad else f"a{number}"}'.split("\n")
    raw = end.join(lines).encode()
    assert errors(packed(tmp_path_factory.mktemp("l"), raw, "a.csv", pack)) == expected


# Bounds


@pytest.mark.parametrize(
    ("raw", "name", "code"),
    [
        (make.gz(bytes(40 << 20)), "a.jsonl.gz", "decompression_bound"),
        (make.zst(bytes(40 << 20)), "a.jsonl.zst", "decompression_bound"),
        (make.gz(make.gz(bytes(400 << 20))), "a.jsonl.gz", None),
        (make.zipped({"a.jsonl": bytes(40 << 20)}), "a.zip", "decompression_bound"),
        (make.zipped({"../a.jsonl": ROWS}), "a.zip", "unsafe_archive"),
        (make.zipped({"a.jsonl": make.zipped({"b.jsonl": ROWS})}), "a.zip", "nested_archive"),
        (make.zipped({f"{n}.jsonl": b"" for n in range(10_001)}), "a.zip", "too_many_members"),
    ],
    ids=["gz", "zst", "gz in gz", "zip", "path", "nested", "members"],
)
def test_what_would_harm_is_refused_quickly(tmp_path, raw, name, code):
    path = write(tmp_path, raw, name)
    if code is None:
        assert reader.inspect(path).report.good_rows == 0
        return
    with pytest.raises(DatasetError) as caught:
        reader.inspect(path)
    assert caught.value.code == code
    assert caught.value.hint


def test_a_workbook_that_unpacks_beyond_the_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(workbook_bounds, "MAX_UNPACKED", 50_000)
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, make.workbook({"S": [["x" * 60_000]]}), "a.xlsx")
    assert caught.value.code == "decompression_bound"


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.txt"])
def test_deep_nesting_is_bad_rows_and_no_crash(tmp_path, name):
    taken = judged(write(tmp_path, good() + "\n" + "[" * 5000 + "\n" + '{"messages":' * 5000, name))
    assert taken.report.good_rows <= 1


MEASURE = """
import resource, sys
from podtune.data import canonical, reader
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
seen = []
def take(row):
    seen[:] = [row]
report = reader.inspect(sys.argv[1], sink=take).report
print(report.good_rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux")
@pytest.mark.parametrize("kind", ["jsonl", "json", "csv"])
def test_memory_stays_flat(tmp_path, kind):
    answer = "It is done with care, as the manual of number {} says in chapter {}. " * 12
    pairs = [(f"How is part {i} of {i * 7919 % 9973} made?", answer.format(*[i] * 24)) for i in range(20_000)]  # fmt: skip
    path = tmp_path / f"rows.{kind}"
    if kind == "csv":
        path.write_text("question,answer\n" + "".join(f'"{q}","{a}"\n' for q, a in pairs), encoding="utf-8")  # fmt: skip
    else:
        values = [make.row(*pair) for pair in pairs]
        path.write_bytes(json.dumps(values).encode() if kind == "json" else make.json_lines(values))
    assert path.stat().st_size > 16 << 20
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True
    )
    rows, grown_kib = map(int, done.stdout.split())
    assert rows == 20_000
    assert grown_kib < 96 * 1024


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"columns": {"prompt": "qestion"}}, "missing_column"),
        ({"sheet": "Sheet1"}, "option_not_used"),
        ({"member": "a.json"}, "option_not_used"),
        ({"speaker": "Jo"}, "option_not_used"),
    ],
)
def test_what_was_asked_for_and_cannot_be_is_refused(tmp_path, options, code):
    rows = "".join(json.dumps({"question": f"q{n}?", "answer": "a"}) + "\n" for n in range(3))
    with pytest.raises((DatasetError, SpecError)) as caught:
        read(tmp_path, rows, **options)
    assert caught.value.code == code


def test_a_named_column_is_for_the_tables_that_have_it(tmp_path):
    write(tmp_path, "subject,body,reply\na,What is it?,This.\nb,And that?,That.\n", "a.csv")
    write(tmp_path, good(1) + "\n", "b.jsonl")
    report = reader.inspect(tmp_path, ReadOptions(columns={"prompt": "body"})).report
    assert report.good_rows == 3
    assert report.files[0].columns["prompt"] == "body"


def test_a_question_that_another_file_of_the_folder_trains_on_is_a_leak(tmp_path):
    write(tmp_path, good(1) + "\n" + good(2) + "\n", "train.jsonl")
    write(tmp_path, good(3) + "\n" + good(2) + "\n", "test.jsonl")
    report = reader.inspect(tmp_path).report
    (leak,) = [f for f in report.findings if f.code == "train_val_leak"]
    assert (leak.file, leak.line) == ("test.jsonl", 2)


def test_files_without_any_conversation_are_named_and_count_for_nothing(tmp_path):
    write(tmp_path, good(1) + "\n", "rows.jsonl")
    write(tmp_path, '{"name": "web", "version": 1}', "package.json")
    (tmp_path / "deep").mkdir()
    write(tmp_path / "deep", "Just a story.", "notes.txt")
    report = reader.inspect(tmp_path).report
    assert (report.rows, report.good_rows, report.errors()) == (1, 1, [])
    (note,) = [f for f in report.findings if f.code == "file_not_used"]
    assert "deep/notes.txt, package.json" in note.message


def test_rows_that_only_a_repair_makes_legible_tell_the_format(tmp_path):
    rows = "".join(f"{{'prompt': 'q{n}?', 'completion': 'a'}}\n" for n in range(3))
    report = read(tmp_path, rows).report
    assert (report.format, report.good_rows, report.good_rows_after_repair) == (
        "prompt_completion",
        0,
        3,
    )
    assert {f.repair for f in report.errors()} == {"single-quotes"}


def test_rows_with_nothing_to_learn_are_errors(tmp_path):
    silent = {
        "messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": "a", "weight": 0},
        ]
    }
    assert errors(read(tmp_path, json.dumps(silent))) == [("no_assistant", 1, 1)]


def test_a_folder_of_too_many_entries_is_refused(tmp_path, monkeypatch):
    from podtune.data import sources

    monkeypatch.setattr(sources, "MAX_ENTRIES", 3)
    for n in range(5):
        write(tmp_path, good(n), f"{n}.jsonl")
    with pytest.raises(DatasetError) as caught:
        reader.inspect(tmp_path)
    assert caught.value.code == "too_many_files"


@pytest.mark.parametrize("path", ["x" * 400, "~nobody-of-that-name/x", "", "a\0b"])
def test_what_is_no_path_is_said(path):
    with pytest.raises(NotFoundError):
        reader.inspect(path)


# What a method can learn from

PAIR = {"prompt": "Why?", "chosen": "So.", "rejected": "No."}
WEIGHED = {
    "pair": json.dumps(PAIR),
    "openai": json.dumps(
        {
            "input": {"messages": [{"role": "user", "content": "Why?"}]},
            "preferred_output": [{"role": "assistant", "content": "So."}],
            "non_preferred_output": [{"role": "assistant", "content": "No."}],
        }
    ),
}


@pytest.mark.parametrize("line", WEIGHED.values(), ids=WEIGHED)
@pytest.mark.parametrize("method", ["dpo", "orpo", "kto"])
def test_pairs_are_good_rows_of_the_methods_that_weigh(tmp_path, line, method):
    data = read(tmp_path, f"{line}\n" * 3, method=method)
    assert (data.report.format, data.report.good_rows) == ("preference", 3)
    assert "method_mismatch_sft" not in data.report.counts
    assert [m.content for m in data.conversations[0].rejected] == ["No."]


def test_other_rows_among_pairs_are_errors_with_their_lines(tmp_path):
    lines = [json.dumps(PAIR), good(2), json.dumps({**PAIR, "prompt": "How?"})]
    data = read(tmp_path, "\n".join(lines), method="dpo")
    assert errors(data) == [("no_pair", 2, 2)]
    assert [row.line for row in data.conversations] == [1, 3]
    assert errors(read(tmp_path, "\n".join(lines), method="kto")) == [("not_rated", 2, 2)]
    assert errors(read(tmp_path, "\n".join(lines))) == []


RATED = [
    {"prompt": "Why?", "completion": "So.", "label": True},
    {"prompt": "Why?", "completion": "No.", "label": False},
    {"messages": make.row("How?", "Thus.")["messages"], "label": None},
]


def test_rated_rows_carry_their_rating(tmp_path):
    data = read(tmp_path, make.json_lines(RATED), method="kto")
    assert data.report.format == "rated"
    assert [row.label for row in data.conversations] == [True, False]
    assert errors(data) == [("not_rated", 3, 3)]


def test_an_answer_that_was_rated_bad_is_not_learnt_by_supervised_training(tmp_path):
    data = read(tmp_path, make.json_lines(RATED))
    assert errors(data) == [("rated_bad", 2, 2)]
    assert [row.line for row in data.conversations] == [1, 3]
    assert "kto" in data.report.errors()[0].advice


def test_answers_to_one_question_do_not_contradict_each_other_where_they_are_weighed(tmp_path):
    rated = read(tmp_path, make.json_lines(RATED[:2]), method="kto")
    pairs = [PAIR, {**PAIR, "chosen": "Thus."}]
    weighed = read(tmp_path, make.json_lines(pairs), method="dpo")
    for data in (rated, weighed):
        assert "conflicting_answers" not in data.report.counts
        assert data.report.good_rows == 2


def test_the_same_answer_rated_both_ways_is_no_duplicate(tmp_path):
    both = [RATED[0], {**RATED[0], "label": False}, RATED[0]]
    data = read(tmp_path, make.json_lines(both), method="kto")
    assert [(f.code, f.row, f.of) for f in data.report.findings if f.code == "duplicate"] == [
        ("duplicate", 3, 1)
    ]


def test_a_rating_in_a_table_is_found_by_name_or_by_word(tmp_path):
    named = "Question,Answer,Thumbs\nWhy?,So.,up\nHow?,Thus.,down\n"
    data = read(tmp_path, named, "rows.csv", method="kto")
    assert [row.label for row in data.conversations] == [True, False]
    assert errors(read(tmp_path, named, "rows.csv")) == [("rated_bad", 3, 2)]
    said = "Question,Answer,Was ok\nWhy?,So.,yes\nHow?,Thus.,no\n"
    data = read(tmp_path, said, "rows.csv", method="kto", columns={"label": "Was ok"})
    assert [row.label for row in data.conversations] == [True, False]
    assert data.report.columns == {"prompt": "Question", "completion": "Answer"}


def test_a_named_rating_does_not_make_a_table_of_conversations(tmp_path):
    rows = [make.row("Why?", "So.", ok="yes"), make.row("How?", "No.", ok="no")]
    data = read(tmp_path, make.json_lines(rows), method="kto", columns={"rating": "ok"})
    assert (data.report.format, [row.label for row in data.conversations]) == (
        "chat_messages",
        [True, False],
    )


def test_a_number_of_stars_is_no_rating(tmp_path):
    rows = [make.row("Why?", "So.", rating=5), make.row("How?", "Thus.", rating=1)]
    assert errors(read(tmp_path, make.json_lines(rows))) == []
    found = read(tmp_path, make.json_lines(rows[:1]), method="kto")
    assert errors(found) == [("bad_label", 1, 1)]


STORY = "Once upon a time\n\nthere was a fox.\n"


@pytest.mark.parametrize("name", ["story.txt", "story.md", "story", "story.txt.gz"])
def test_a_text_is_read_whole_where_all_of_it_is_to_be_learnt(tmp_path, name):
    raw = STORY.encode()
    data = read(tmp_path, make.gz(raw) if name.endswith("gz") else raw, name, method="cpt")
    assert (data.report.format, data.report.rows, data.report.good_rows) == ("plain_text", 1, 1)
    assert texts(data) == [[STORY.strip()]]
    assert data.conversations[0].is_text
    assert data.report.of_severity(Severity.ERROR) == []


@pytest.mark.parametrize(
    "text", ["Q: Why?\nA: So.\n", "# FAQ\n\n## Why?\n\nSo.\n", "User: Why?\nAssistant: So.\n"]
)
def test_a_text_with_questions_stays_a_text(tmp_path, text):
    assert texts(read(tmp_path, text, "story.md", method="cpt")) == [[text.strip()]]


def test_records_with_a_text_are_read_in_every_container(tmp_path):
    given_ = ["Once upon a time.", " There was\na fox. "]
    rows = [{"id": n, "text": text} for n, text in enumerate(given_)]
    sources = {
        "a.jsonl": make.json_lines(rows),
        "a.json": json.dumps(rows).encode(),
        "a.parquet": make.parquet_file({"id": [0, 1], "text": given_}),
        "a.csv": b'id,text\n0,Once upon a time.\n1," There was\na fox. "\n',
        "b.csv": b'text\nOnce upon a time.\n" There was\na fox. "\n',
    }
    for name, raw in sources.items():
        data = read(tmp_path, raw, name, method="cpt")
        assert (name, texts(data)) == (name, [[text] for text in given_])
        assert data.report.format == "plain_text"


def test_the_column_of_a_text_may_be_named(tmp_path):
    raw = make.json_lines([{"text": "no", "story": "Once."}, {"text": "no", "story": "So."}])
    data = read(tmp_path, raw, method="cpt", columns={"text": "story"})
    assert texts(data) == [["Once."], ["So."]]
    table = "title,story\nFox,Once upon a time.\n"
    data = read(tmp_path, table, "rows.csv", method="cpt", columns={"text": "story"})
    assert texts(data) == [["Once upon a time."]]


def test_a_folder_of_texts_is_read_as_one(tmp_path):
    for name, text in (
        ("a.txt", "Once."),
        ("b.md", "# Two\n\nSo."),
        ("c.jsonl", '{"text": "Three."}'),
    ):
        write(tmp_path, text, name)
    data = reader.read(tmp_path, ReadOptions(method="cpt"))
    assert texts(data) == [["Once."], ["# Two\n\nSo."], ["Three."]]
    assert data.report.format == "plain_text"
    assert not {"few_rows", "too_few_rows"} & data.report.counts.keys()


def test_conversations_are_no_plain_text(tmp_path):
    data = read(tmp_path, "\n".join([good(1), good(2)]), method="cpt")
    assert data.report.format == "chat_messages"
    assert errors(data) == [("not_plain_text", 1, 1), ("not_plain_text", 2, 2)]


@pytest.mark.parametrize("method", ["sft", "dpo", "kto"])
def test_plain_text_is_for_no_other_method(tmp_path, method):
    for name, raw in (("story.txt", STORY), ("rows.jsonl", '{"text": "Once."}\n')):
        report = read(tmp_path, raw, name, method=method).report
        assert (report.format, report.good_rows) == ("unknown", 0)
        assert "plain_text" in report.counts
        assert [(f.code, "method=cpt" in f.advice) for f in report.errors()] == [
            ("no_messages", True)
        ]


def test_a_text_holds_no_secret_and_no_repeat_unsaid(tmp_path):
    key = "sk-" + "proj-" + "Qx7Lm2Vt9Rk4Wn8Ys3Zb6Hc1Df5Gj0Pa"
    raw = make.json_lines([{"text": f"The key is {key}."}, {"text": "Once."}, {"text": "Once."}])
    data = read(tmp_path, raw, method="cpt")
    assert errors(data) == [("secret", 1, 1)]
    assert data.report.duplicates == 1
    mended = read(tmp_path, raw, method="cpt", fixes={"redact-secrets", "drop-duplicates"})
    assert mended.report.good_rows == 2
    assert key not in str(mended.conversations)


def test_a_long_text_is_several_rows_that_can_be_written_and_read_again(tmp_path):
    text = "\n\n".join(f"Paragraph {n}. " + "It went on and on. " * 30 for n in range(300)).strip()
    data = read(tmp_path, text, "story.txt", method="cpt")
    assert len(data.conversations) > 1
    assert "".join(row.messages[0].text for row in data.conversations) == text
    assert [row.continues for row in data.conversations] == [True] * (
        len(data.conversations) - 1
    ) + [False]
    lines = b"".join(canonical.line_of(row) for row in data.conversations)
    again = read(tmp_path, lines, "again.jsonl", method="cpt")
    same = [(row.messages, row.continues) for row in data.conversations]
    assert [(row.messages, row.continues) for row in again.conversations] == same


def test_a_line_that_cannot_be_read_whole_is_refused_where_all_is_learnt(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "MAX_LINE", 1000)
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, "x" * 2000, "story.txt", method="cpt")
    assert caught.value.code == "line_too_long"
