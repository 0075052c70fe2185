"""Files as users have them, written by somebody who had not seen the reader: every field is as they say."""

import json
from pathlib import Path

import pytest

from podtune.app import data_doctor
from podtune.app.settings import Settings
from podtune.data.record import ReadOptions

CORPUS = Path(__file__).resolve().parents[1] / "support" / "data_corpus"
ENTRIES = [
    json.loads(line)
    for line in (CORPUS / "index.jsonl").read_text(encoding="utf-8").split("\n")
    if line
]


def expected(entry):
    """All fields of an entry, with what it leaves out as usual."""
    good = entry.get("good_rows", entry["rows"])
    return {
        "format": entry["format"],
        "container": entry.get("container", entry["file"].split(".", 1)[1]),
        "encoding": entry.get("encoding", "utf-8"),
        "rows": entry["rows"],
        "good_rows": good,
        "good_rows_after_repair": entry.get("good_rows_after_repair", good),
        "errors": in_order(entry.get("errors", [])),
        "warnings": in_order(entry.get("warnings", [])),
        "duplicates": entry.get("duplicates", 0),
        "needs_choice": entry.get("needs_choice", {}),
        "first_row": entry.get("first_row"),
    }


def in_order(findings):
    """What concerns the whole file has no order."""
    return sorted(findings, key=lambda f: (f.get("line") or f.get("row") or 0, f["code"]))


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory):
    """Settings of an installation without any model."""
    return Settings(home=tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["file"])
def test_a_file_is_read_as_its_entry_says(entry, nowhere):
    source = str(CORPUS / "files" / entry["file"])
    facts = data_doctor.examine(source, nowhere, ReadOptions()).facts
    found = {name: facts[name] for name in expected(entry)}
    found |= {name: in_order(found[name]) for name in ("errors", "warnings")}
    assert found == expected(entry)


def test_every_file_has_its_entry():
    assert sorted(e["file"] for e in ENTRIES) == sorted(
        p.name for p in (CORPUS / "files").iterdir()
    )
