import pytest

from podtune.core.errors import DatasetError, NotFoundError
from podtune.data import sources


@pytest.fixture
def folder(tmp_path):
    for name in (
        "b.jsonl",
        "a.csv",
        "notes.png",
        "sub/c.json",
        ".cache/d.jsonl",
        "sub/.e.jsonl",
        "rejected.jsonl",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x", encoding="utf-8")
    return tmp_path  # fmt: skip


def names(found, folder):
    return [str(path.relative_to(folder)) for path in found]


def test_a_file_is_itself_whatever_its_name(tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")
    assert sources.files_of(tmp_path / "a.png") == [tmp_path / "a.png"]


def test_a_name_that_is_nearly_there_is_asked_back(tmp_path):
    (tmp_path / "tickets.csv").write_text("question,answer\n")
    with pytest.raises(NotFoundError) as caught:
        sources.files_of(tmp_path / "tikets.csv")
    assert "did you mean" in caught.value.hint
    assert "tickets.csv" in caught.value.hint


def test_a_folder_is_its_data_files_in_order_without_hidden_and_rejected_ones(folder):
    assert names(sources.files_of(folder), folder) == ["a.csv", "b.jsonl", "sub/c.json"]


def test_a_hidden_folder_that_is_named_is_read(folder):
    assert len(sources.files_of(folder / ".cache")) == 1


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.jsonl", ["b.jsonl", "rejected.jsonl"]),
        ("?.csv", ["a.csv"]),
        ("**/*.json", ["sub/c.json"]),
        ("[ab].*", ["a.csv", "b.jsonl"]),
    ],
)
def test_a_pattern_is_what_fits_it(folder, pattern, found):
    assert names(sources.files_of(folder / pattern), folder) == found


def test_a_name_with_brackets_that_is_there_is_no_pattern(tmp_path):
    path = tmp_path / "rows[1].jsonl"
    path.write_text("x", encoding="utf-8")
    assert sources.files_of(path) == [path]


@pytest.mark.parametrize("source", ["", "*.parquet"])
def test_nothing_is_said(tmp_path, source):
    with pytest.raises(NotFoundError) as caught:
        sources.files_of(tmp_path / source)
    assert caught.value.code == "file_not_found"


def test_too_many_are_refused(folder, monkeypatch):
    monkeypatch.setattr(sources, "MAX_FILES", 2)
    with pytest.raises(DatasetError) as caught:
        sources.files_of(folder)
    assert caught.value.code == "too_many_files"
    assert "fewer" in caught.value.hint


def test_the_home_folder_has_a_short_name(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.jsonl").write_text("{}")
    assert sources.files_of("~/a.jsonl") == [tmp_path / "a.jsonl"]
