import json
from pathlib import Path

import pytest

from podtune.core.dataset import Choice
from podtune.core.errors import DatasetError
from podtune.data import reader, reports
from podtune.data.findings import finding
from support import build
from support import data_files as make


@pytest.fixture
def report(tmp_path):
    """The report on a file of these bytes."""

    def run(raw, name="rows.jsonl"):
        path = tmp_path / name
        path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
        return reader.inspect(path).report

    return run


ROWS = make.json_lines(make.rows(60))


def test_the_report_of_a_file_has_all_that_was_found(report, tmp_path):
    found = report(b"question,answer,page\na,b,1\nc,,2\na,b,3\n", "t.csv")
    assert found.source == str(tmp_path / "t.csv")
    assert (found.format, found.container, found.encoding) == ("qa_table", "csv", "utf-8")
    assert (found.rows, found.good_rows, found.good_rows_after_repair, found.duplicates) == (
        3,
        2,
        2,
        1,
    )
    assert found.columns == {"prompt": "question", "completion": "answer"}
    assert found.counts["empty_answer"] == found.counts["duplicate"] == 1
    assert found.dropped_keys == {"page": 3}
    assert {f.code for f in found.findings} == set(found.counts)


@pytest.mark.parametrize("skip", [True, False])
def test_a_file_without_errors_may_be_trained_on(report, skip):
    assert reports.refuse_bad_rows(report(ROWS + b"\n\n"), skip=skip) is None


def test_bad_rows_need_consent(report):
    found = report(make.json_lines([make.row(), "{"]))
    with pytest.raises(DatasetError, match="1 error in 2 rows") as caught:
        reports.refuse_bad_rows(found, skip=False)
    assert "--skip-bad-rows" in caught.value.hint
    assert caught.value.context["good_rows"] == 1
    listed = json.loads(json.dumps(caught.value.context["findings"]))
    assert ("bad_json", 2) in [(f["code"], f["line"]) for f in listed]
    assert reports.refuse_bad_rows(found, skip=True) is None


def test_a_repair_that_would_help_is_offered(report):
    found = report(make.json_lines([make.row(), json.dumps(make.row("x", "y"))[:-1] + ",}"]))
    with pytest.raises(DatasetError) as caught:
        reports.refuse_bad_rows(found, skip=False)
    assert "--fix trailing-comma" in caught.value.hint


@pytest.mark.parametrize("skip", [True, False])
def test_a_file_without_a_good_row_is_refused_with_or_without_consent(report, skip):
    with pytest.raises(DatasetError, match=r"no row of .* can be trained on"):
        reports.refuse_bad_rows(report("{\n[]\n"), skip=skip)


@pytest.mark.parametrize(
    ("raw", "code"),
    [(b"", "empty_file"), (b" \n\n", "empty_file"), (bytes(range(256)), "not_text"), (b"{\n", DatasetError.code)],
)  # fmt: skip
def test_a_file_that_is_no_data_is_refused_by_what_it_is(report, raw, code):
    with pytest.raises(DatasetError) as caught:
        reports.refuse_bad_rows(report(raw), skip=True)
    assert caught.value.code == code
    assert caught.value.hint


def test_only_warnings_are_counted_by_code(report):
    found = report(make.json_lines([make.row(), "", "", make.row(), "{"]))
    assert reports.only_warnings(found) == {"empty_line": 2, "duplicate": 1}


def test_a_choice_that_is_close_has_to_be_made():
    choice = Choice(value="a", others=("b", "c"), close=True, option="--map prompt=NAME")
    with pytest.raises(DatasetError, match="prompt column may be 'a', 'b', 'c'") as caught:
        reports.refuse_open_choices(build.report(choices={"prompt_column": choice}))
    assert caught.value.code == "choice_needed"
    assert "--map prompt=NAME" in caught.value.hint
    assert caught.value.context == {"choice": "prompt_column", "taken": "a", "others": ["b", "c"]}


def test_a_choice_of_one_file_of_several_names_the_file():
    choice = Choice(value="a", others=("b",), close=True, option="--sheet NAME")
    inner = build.report(source="/data/book.xlsx", choices={"sheet": choice})
    with pytest.raises(DatasetError, match=r"book\.xlsx"):
        reports.refuse_open_choices(build.report(files=(build.report(), inner)))


def test_a_clear_choice_is_only_shown():
    choice = Choice(value="a", others=("b",), option="--sheet NAME")
    assert reports.refuse_open_choices(build.report(choices={"sheet": choice})) is None


def test_several_files_are_summed_and_findings_name_theirs():
    one = build.report(
        source="/d/a.jsonl", rows=60, good_rows=59, good_rows_after_repair=60, duplicates=1, counts={"bad_json": 1},
        findings=(finding("bad_json", 3, 3),), repaired={"mojibake": 2},
    )  # fmt: skip
    other = build.report(
        source="/d/b.csv", format="qa_table", rows=2, good_rows=2, good_rows_after_repair=2,
        counts={"few_rows": 1, "bad_json": 1}, findings=(finding("few_rows"), finding("bad_json", 3, 3)),
        repaired={"mojibake": 1},
    )  # fmt: skip
    empty = build.report(source="/d/notes.txt", rows=0, good_rows=0, counts={"no_messages": 1})
    found = reports.together("/d", [one, other, empty])
    assert (found.source, found.container, found.format) == ("/d", "folder", "several")
    assert (found.rows, found.good_rows, found.good_rows_after_repair, found.duplicates) == (
        62,
        61,
        62,
        1,
    )
    assert [(f.code, f.file) for f in found.findings] == [
        ("bad_json", "a.jsonl"),
        ("bad_json", "b.csv"),
        ("file_not_used", None),
    ]
    assert "notes.txt" in found.findings[-1].message
    assert found.counts == {"bad_json": 2, "file_not_used": 1}
    assert found.repaired == {"mojibake": 3}
    assert found.files == (one, other, empty)
    assert found.size_bytes == one.size_bytes + other.size_bytes + empty.size_bytes


def test_the_sum_of_several_follows_their_content_and_names():
    def summed(*files):
        made = [build.report(source=f"/d/{name}", sha256=sha * 64) for name, sha in files]
        return reports.together("/d", made).sha256

    assert summed(("a", "1"), ("b", "2")) == summed(("a", "1"), ("b", "2"))
    assert len({summed(("a", "1")), summed(("a", "2")), summed(("b", "1")), summed(("a", "1"), ("b", "2"))}) == 4  # fmt: skip


def test_few_rows_are_said_of_all_files_together():
    files = [build.report(source=f"/d/{n}", rows=1, good_rows=1) for n in range(4)]
    assert [f.code for f in reports.together("/d", files[:2]).findings] == ["too_few_rows"]
    assert [f.code for f in reports.together("/d", files).findings] == ["few_rows"]


def test_several_files_without_a_row_are_an_error():
    found = reports.together("/d", [build.report(rows=0, good_rows=0)] * 2)
    assert [f.code for f in found.errors()] == ["empty_file"]
    with pytest.raises(DatasetError):
        reports.refuse_bad_rows(found, skip=True)


def test_no_path_of_this_test_is_left_in_a_report(report):
    assert Path(report(ROWS).source).is_absolute()
