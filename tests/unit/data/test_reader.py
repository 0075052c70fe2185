import csv
import hashlib
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from podtune.core.dataset import Severity
from podtune.core.errors import DatasetError, NotFoundError, PodtuneError, UnsupportedError
from podtune.data import reader

GOOD = '{"messages": [{"role": "user", "content": "Q%d"}, {"role": "assistant", "content": "A%d"}]}'
SAMPLES = Path(__file__).resolve().parents[4] / "shared" / "data-samples"


def good(number=1):
    return GOOD % (number, number)


def write(folder, content, name="rows.jsonl"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(folder, content, name="rows.jsonl", columns=None):
    return reader.read(write(folder, content, name), columns)


def errors(data):
    return [(f.code, f.line, f.row) for f in data.report.errors()]


def warnings(data):
    found = data.report.findings
    kept = [f for f in found if f.severity is Severity.WARNING and f.code != "too_few_rows"]
    return [(f.code, f.line) for f in kept]


def texts(data):
    return [[m.content for m in row.messages] for row in data.conversations]


# JSON lines


def test_messages_are_read_with_their_lines(tmp_path):
    data = read(tmp_path, "\n".join(good(i) for i in range(12)))
    assert (data.report.rows, data.report.good_rows, data.report.findings) == (12, 12, ())
    assert (data.report.format, data.report.container) == ("chat_messages", "jsonl")
    assert texts(data)[3] == ["Q3", "A3"]
    assert [row.line for row in data.conversations] == list(range(1, 13))


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
        ("not_one_object_per_line", 5, 4),
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
    assert warnings(data) == [("bom", 1)]
    assert texts(data) == [["Q1", "A1"]]


def test_windows_line_ends_are_read_and_said_once(tmp_path):
    data = read(tmp_path, f"{good(1)}\r\n{good(2)}\r\n")
    assert warnings(data) == [("crlf", 1)]
    assert [row.line for row in data.conversations] == [1, 2]


def test_blank_lines_are_no_rows_but_count_as_lines(tmp_path):
    data = read(tmp_path, f"\n{good(1)}\n   \n\n{good(2)}\n\n")
    assert [row.line for row in data.conversations] == [2, 5]
    assert warnings(data) == [
        ("empty_line", 1),
        ("empty_line", 3),
        ("empty_line", 4),
        ("empty_line", 6),
    ]
    assert data.report.rows == 2


def test_the_end_of_the_last_line_is_no_empty_line(tmp_path):
    assert warnings(read(tmp_path, good() + "\n")) == []


def test_unicode_line_separators_do_not_end_a_line(tmp_path):
    line = '{"prompt": "a\u2028b\u0085c", "completion": "d"}'
    data = read(tmp_path, f"{line}\n{good()}\n")
    assert texts(data)[0] == ["a\u2028b\u0085c", "d"]
    assert data.conversations[1].line == 2


def test_repeated_rows_are_kept_and_said(tmp_path):
    spaced = good(1).replace("A1", " A1 ")
    data = read(tmp_path, "\n".join([good(1), good(2), spaced, good(1)]))
    assert warnings(data) == [("duplicate", 3), ("duplicate", 4)]
    assert all("of line 1" in f.message for f in data.report.findings if f.code == "duplicate")
    assert data.report.good_rows == 4


def test_another_answer_to_the_same_question_is_no_repetition(tmp_path):
    data = read(tmp_path, f"{good(1)}\n{GOOD % (1, 2)}\n")
    assert warnings(data) == []


@pytest.mark.parametrize(("rows", "is_said"), [(1, True), (9, True), (10, False)])
def test_few_rows_are_said(tmp_path, rows, is_said):
    data = read(tmp_path, "\n".join(good(i) for i in range(rows)))
    assert ("too_few_rows" in reader.only_warnings(data.report)) == is_said


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        '{"a": 1} {"b": 2}',
        '{"a": 1},',
        "{'a': 1}",
        '{"a": NaN}',
        '{"a": "\\ud800"}',
        '{"a": 1e999999}',
        '{"a": "tab\tinside"}',
        "[" * 50_000,
        '{"a":' * 50_000,
    ],
    ids=lambda line: line[:20],
)
def test_what_is_no_json_is_one_bad_row(tmp_path, line):
    data = read(tmp_path, f"{good(1)}\n{line}\n{good(2)}\n")
    assert [code for code, at, _ in errors(data) if at == 2] == [errors(data)[0][0]]
    assert errors(data)[0][0] in {"bad_json", "no_messages"}
    assert data.report.good_rows == 2


# Tables


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_is_read_with_any_usual_delimiter(tmp_path, delimiter):
    rows = [["id", "question", "answer"], ["1", "Why?", "Because."], ["2", "When?", "Now."]]
    text = "\n".join(delimiter.join(cells) for cells in rows)
    data = read(tmp_path, text, "table.csv")
    assert texts(data) == [["Why?", "Because."], ["When?", "Now."]]
    assert [row.line for row in data.conversations] == [2, 3]
    assert data.report.columns == {"prompt": "question", "completion": "answer"}
    assert (data.report.format, data.report.container) == ("qa_table", "csv")


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
    assert data.report.columns["prompt"] == "prompt"
    assert [code for code, _ in warnings(data)][:2] == ["bom", "crlf"]


def test_columns_can_be_named(tmp_path):
    data = read(
        tmp_path, "frage,antwort\na,b\n", "t.csv", {"prompt": "Frage", "completion": "antwort"}
    )
    assert texts(data) == [["a", "b"]]


def test_a_system_column_comes_first(tmp_path):
    data = read(tmp_path, "prompt,completion,system\na,b,s\nc,d,\n", "t.csv")
    assert texts(data) == [["s", "a", "b"], ["c", "d"]]


def test_a_table_without_the_columns_is_refused_with_what_it_has(tmp_path):
    with pytest.raises(DatasetError, match="no column for prompt and completion") as caught:
        read(tmp_path, "x,y\na,b\n", "t.csv")
    assert caught.value.code == "missing_column"
    assert "its columns: x, y" in caught.value.message
    assert "data.columns.prompt=" in caught.value.hint


def test_a_named_column_that_is_not_there_is_refused_by_its_name(tmp_path):
    with pytest.raises(DatasetError, match="no column for frage"):
        read(tmp_path, "prompt,completion\na,b\n", "t.csv", {"prompt": "frage"})


def test_a_row_with_too_few_cells_is_one_bad_row(tmp_path):
    data = read(tmp_path, "id,prompt,completion\n1,a,b\n2,c\n3,d,e,\n", "t.csv")
    assert errors(data) == [("missing_column", 3, 2)]
    assert data.report.good_rows == 2


def test_an_answer_with_a_bare_comma_loses_nothing_in_silence(tmp_path):
    data = read(tmp_path, "question,answer\na,b\nc,d, and more\n", "t.csv")
    assert errors(data) == [("too_many_cells", 3, 2)]


def test_a_row_without_a_question_is_a_bad_row(tmp_path):
    data = read(tmp_path, "question,answer\na,b\n,d\n", "t.csv")
    assert errors(data) == [("empty_question", 3, 2)]


def test_a_quote_that_is_never_closed_is_found_where_it_opens(tmp_path):
    data = read(tmp_path, 'prompt,completion\na,b\n"c,d\ne,f\n', "t.csv")
    assert errors(data) == [("bad_quoting", 3, 2)]
    assert texts(data) == [["a", "b"]]


def test_rows_after_one_with_bad_quotes_are_not_left_out_in_silence(tmp_path):
    data = read(tmp_path, 'prompt,completion\na,b\n"c"x,d\ne,f\ng,h\n', "t.csv")
    assert errors(data) == [("bad_quoting", 3, 2)]
    assert (data.report.rows, data.report.good_rows) == (4, 3)


def test_a_long_cell_is_no_quoting_problem(tmp_path):
    long = "word " * 40_000
    data = read(tmp_path, f"prompt,completion\n{long},b\nc,d\n", "t.csv")
    assert errors(data) == []
    assert data.report.good_rows == 2


@pytest.mark.parametrize("header", ['"prompt,completion\na,b\n', '"prompt"x,completion\na,b\n'])
def test_a_header_with_bad_quotes_is_refused(tmp_path, header):
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, header, "t.csv")
    assert caught.value.code in {"bad_quoting", "missing_column"}


cells = st.text(
    alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=20
)


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=8), st.sampled_from(",;\t"))
def test_every_table_that_csv_writes_is_read_back(tmp_path_factory, rows, delimiter):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    starts = []
    for row in [("prompt", "completion"), *rows]:
        starts.append(out.getvalue().count("\n") + 1)
        writer.writerow(row)
    data = read(tmp_path_factory.mktemp("table"), out.getvalue(), "t.csv")
    expected = [
        (line, [prompt.strip(), completion.strip()])
        for line, (prompt, completion) in zip(starts[1:], rows, strict=True)
        if completion.strip() and prompt.strip()
    ]
    found = [
        (row.line, row_texts)
        for row, row_texts in zip(data.conversations, texts(data), strict=True)
    ]
    assert found == expected


# Files that are none


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("rows.jsonl", b"", "empty_file"),
        ("rows.csv", b"", "empty_file"),
        ("rows.jsonl", b" \n\r\n\t\n", "empty_file"),
        ("rows.csv", b"\n\n", "empty_file"),
        ("rows.jsonl", b"\xef\xbb\xbf", "empty_file"),
        ("rows.jsonl", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "binary_file"),
        ("rows.csv", "prompt,completion".encode("utf-16"), "binary_file"),
        ("rows.jsonl", b'{"prompt": "caf\xe9"}', "not_utf8"),
        ("rows.csv", b"prompt,completion\ncaf\xe9,x\n", "not_utf8"),
    ],
)
def test_a_file_that_is_no_data_is_refused_with_its_code(tmp_path, name, content, code):
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, content, name)
    assert caught.value.code == code
    assert caught.value.hint
    assert name in caught.value.message


def test_text_that_is_not_utf8_is_located(tmp_path):
    with pytest.raises(DatasetError, match="line 3") as caught:
        read(tmp_path, f"{good()}\n{good()}\n".encode() + b"caf\xe9\n")
    assert caught.value.context == {"line": 3}
    assert "iconv" in caught.value.hint


def test_a_missing_file(tmp_path):
    with pytest.raises(NotFoundError, match=r"nothing\.jsonl") as caught:
        reader.read(tmp_path / "nothing.jsonl")
    assert caught.value.code == "file_not_found"


def test_a_directory(tmp_path):
    with pytest.raises(DatasetError, match="is a directory") as caught:
        reader.read(tmp_path)
    assert caught.value.code == "is_directory"


def test_a_file_too_large_to_be_read_whole(tmp_path):
    path = tmp_path / "rows.jsonl"
    with path.open("wb") as stream:
        stream.truncate(reader.MAX_BYTES + 1)  # sparse: takes no room
    with pytest.raises(UnsupportedError) as caught:
        reader.read(path)
    assert caught.value.code == "file_too_large"


# What always holds

LINES = {
    "good": (good(), 0, True),
    "pair": ('{"prompt": "x", "completion": "y"}', 0, True),
    "trailing user": (good().replace("]}", ', {"role": "user", "content": "z"}]}'), 0, True),
    "cut": ('{"prompt": "x', 1, True),
    "no role": ('{"messages": [{"content": "x"}, {"role": "boss", "content": "x"}]}', 2, True),
    "no answer": ('{"messages": [{"role": "user", "content": "x"}]}', 1, True),
    "list": ("[]", 1, True),
    "blank": ("  ", 0, False),
}


@given(
    st.lists(st.sampled_from(sorted(LINES)), min_size=1, max_size=30).filter(
        lambda ks: set(ks) != {"blank"}
    )
)
def test_rows_are_the_good_ones_and_the_ones_with_errors(tmp_path_factory, kinds):
    data = read(tmp_path_factory.mktemp("mix"), "\n".join(LINES[kind][0] for kind in kinds))
    report = data.report
    assert report.rows == sum(LINES[kind][2] for kind in kinds)
    assert report.rows == report.good_rows + len({f.row for f in report.errors()})
    assert len(report.errors()) == sum(LINES[kind][1] for kind in kinds)
    assert len(data.conversations) == report.good_rows
    assert {f.line for f in report.errors()} == {
        number for number, kind in enumerate(kinds, start=1) if LINES[kind][1]
    }


@given(
    st.sampled_from(["rows.jsonl", "rows.csv", "rows.tsv", "rows"]),
    st.sampled_from([b"", b"prompt,completion\n", b'{"messages": [', b'{"prompt": "']),
    st.binary(max_size=200)
    | st.text(max_size=100).map(str.encode)
    | st.text(alphabet='",;\t\r\n ab{}[]:\\', max_size=60).map(str.encode),
)
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_no_bytes_make_the_reader_raise_anything_of_its_own(tmp_path_factory, name, head, rest):
    path = write(tmp_path_factory.mktemp("any"), head + rest, name)
    try:
        data = reader.read(path)
    except PodtuneError as error:
        assert error.code in {  # noqa: PT017 - most of these files are read without an error
            "empty_file",
            "binary_file",
            "not_utf8",
            "missing_column",
            "bad_quoting",
        }
        return
    report = data.report
    assert report.rows == report.good_rows + len({f.row for f in report.errors()})


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
]


def test_no_finding_holds_the_text_of_a_row(tmp_path):
    report = read(tmp_path, "\n".join(PLANTED)).report
    assert {f.line for f in report.findings} >= set(range(1, 14))
    assert MARKER not in report.model_dump_json()


def test_no_finding_of_a_table_holds_the_text_of_a_row(tmp_path):
    text = (
        f'prompt,completion\n{MARKER},\n{MARKER}\n{MARKER},{MARKER}\n{MARKER},{MARKER}\n"{MARKER}\n'
    )
    report = read(tmp_path, text, "t.csv").report
    assert {f.code for f in report.findings} >= {
        "empty_answer",
        "missing_column",
        "duplicate",
        "bad_quoting",
    }
    assert MARKER not in report.model_dump_json()


# Consent


@pytest.mark.parametrize("skip", [True, False])
def test_a_file_without_errors_may_be_trained_on(tmp_path, skip):
    report = read(tmp_path, good() + "\n\n").report
    assert reader.refuse_bad_rows(report, skip=skip) is None


def test_bad_rows_need_consent(tmp_path):
    report = read(tmp_path, f"{good()}\n{{\n").report
    with pytest.raises(DatasetError, match="1 error in 2 rows") as caught:
        reader.refuse_bad_rows(report, skip=False)
    assert "--skip-bad-rows" in caught.value.hint
    assert caught.value.context["good_rows"] == 1
    listed = json.loads(json.dumps(caught.value.context["findings"]))
    assert ("bad_json", 2) in [(f["code"], f["line"]) for f in listed]
    assert reader.refuse_bad_rows(report, skip=True) is None


@pytest.mark.parametrize("skip", [True, False])
def test_a_file_without_a_good_row_is_refused_with_or_without_consent(tmp_path, skip):
    report = read(tmp_path, "{\n[]\n").report
    with pytest.raises(DatasetError, match=r"no row of .* can be trained on"):
        reader.refuse_bad_rows(report, skip=skip)


def test_only_warnings_are_counted_by_code(tmp_path):
    report = read(tmp_path, f"{good()}\n\n\n{good()}\n{{\n").report
    assert reader.only_warnings(report) == {"empty_line": 2, "duplicate": 1, "too_few_rows": 1}


# The samples that the readers of this project are measured by


@pytest.mark.parametrize("name", ["messages.jsonl", "broken.jsonl", "tickets.csv"])
def test_the_samples_are_read_as_their_index_says(name):
    if not SAMPLES.is_dir():
        pytest.skip(f"no samples at {SAMPLES}")
    index = (SAMPLES / "index.jsonl").read_text(encoding="utf-8").splitlines()
    entry = next(e for e in map(json.loads, index) if e["file"] == name)
    data = reader.read(SAMPLES / name)
    report = data.report
    assert (report.rows, report.good_rows) == (entry["rows"], entry["good_rows"])
    assert (report.format, report.container) == (entry["format"], entry["container"])
    assert errors(data) == [(e["code"], e["line"], e["row"]) for e in entry["errors"]]
    assert warnings(data) == [(w["code"], w["line"]) for w in entry["warnings"]]
    assert data.conversations[0].as_template_input() == entry["first_row"]["messages"]


def test_bytes_without_a_nul_can_be_binary_too(tmp_path):
    path = tmp_path / "picture.jsonl"
    path.write_bytes(bytes(b for b in range(1, 256)) * 4)
    with pytest.raises(DatasetError) as caught:
        reader.read(path)
    assert caught.value.code == "binary_file"


def test_text_in_another_encoding_is_no_binary(tmp_path):
    path = tmp_path / "latin.jsonl"
    path.write_bytes('{"prompt": "Größe?", "completion": "Zwölf."}\n'.encode("cp1252"))
    with pytest.raises(DatasetError) as caught:
        reader.read(path)
    assert caught.value.code == "not_utf8"
