"""Descriptions -> candidates with their reasons; one is an assumption, two are a question."""

import gzip
import json
import shutil

import pytest

from podtune.app import locate as locating
from podtune.app.locate import HEAD, WHOLE, locate
from podtune.app.workspace import Workspace
from podtune.core.spec import Method

ROW = {
    "messages": [
        {"role": "user", "content": "Where is my order?"},
        {"role": "assistant", "content": "On its way; the number is in your mail."},
    ]
}


@pytest.fixture
def here(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def corpus(root):
    return root / "tests" / "support" / "data_corpus" / "files"


def rows(path, count=12):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(ROW) + "\n" for _ in range(count)))
    return path


def found(folder, hint, **more):
    return locate(hint, Workspace((folder,)), **more)


def shown(located):
    return [c.shown for c in located.fitting]


def test_one_that_fits_is_the_only_one_with_size_rows_form_and_reason(here):
    rows(here / "support_tickets.jsonl")
    rows(here / "invoices.jsonl")
    located = found(here, "my support tickets", task="customer_support")
    only = located.only
    assert only.source == str(here / "support_tickets.jsonl")
    assert (only.rows, only.form, only.is_whole) == (12, "chat_messages", True)
    assert only.size_bytes == (here / "support_tickets.jsonl").stat().st_size
    assert only.words.startswith("12 rows, 2 KiB, chat_messages; its name says ")
    assert located.looked == f"looked in {here}: 2 data files"
    assert located.others == ()


def test_two_that_fit_are_never_guessed_between(here):
    rows(here / "tickets.jsonl")
    rows(here / "old" / "zendesk.jsonl")
    located = found(here, "my support tickets")
    assert shown(located) == ["tickets.jsonl", "old/zendesk.jsonl"]
    assert located.only is None


@pytest.mark.parametrize(
    ("hint", "file", "name"),
    [
        ("our support tickets", "zendesk_html.json", "export.json"),
        ("our support tickets", "intercom.json", "dump.json"),
        ("our customer messages", "slack_export.zip", "export.zip"),
        ("my chats", "whatsapp_ios.txt", "text.txt"),
        ("my emails", "desk.mbox", "a.mbox"),
        ("the faqs", "faq_de.txt", "page.txt"),
    ],
)
def test_what_is_inside_speaks_where_the_name_does_not(here, corpus, hint, file, name):
    shutil.copy(corpus / file, here / name)
    located = found(here, hint)
    assert shown(located) == [name]
    assert located.only.why.endswith("is such data")


def test_where_nothing_is_described_all_that_can_be_trained_on_is_shown(here, corpus):
    rows(here / "a.jsonl")
    rows(here / "b.jsonl")
    shutil.copy(corpus / "sensors.csv", here / "sensors.csv")
    assert shown(found(here, None)) == ["a.jsonl", "b.jsonl"]


def test_what_nothing_speaks_for_is_shown_only_where_nothing_fits(here):
    rows(here / "a.jsonl")
    located = found(here, "my invoices")
    assert located.fitting == ()
    assert [c.shown for c in located.others] == ["a.jsonl"]


def test_a_name_that_fits_and_cannot_be_trained_on_is_told_with_its_reason(here, corpus):
    shutil.copy(corpus / "sensors.csv", here / "tickets.csv")
    (here / "tickets.jsonl").write_bytes(b"\x00\x01\x02" * 50)
    located = found(here, "my tickets")
    assert located.fitting == ()
    assert len(located.unfit) == 2
    assert located.unfit[0].startswith("tickets.csv: a column is missing")


def test_held_out_rows_are_no_candidate_beside_those_to_train_on(here):
    rows(here / "tickets.jsonl")
    rows(here / "tickets.validation.jsonl")
    assert shown(found(here, "tickets")) == ["tickets.jsonl"]


def test_held_out_rows_alone_are_one(here):
    rows(here / "tickets.validation.jsonl")
    assert shown(found(here, "tickets")) == ["tickets.validation.jsonl"]


def test_a_folder_of_files_of_one_form_is_one_candidate(here):
    for month in range(1, 4):
        rows(here / "tickets" / f"2026-0{month}.jsonl", month)
    (only,) = found(here, "my tickets").fitting
    assert (only.shown, only.files, only.rows) == ("tickets/", 3, 6)
    assert only.source == str(here / "tickets")
    assert "6 rows in 3 files" in only.words


def test_of_a_large_file_only_the_beginning_is_read(here):
    path = rows(here / "tickets.jsonl", 4)
    path.write_bytes(path.read_bytes() * (WHOLE // path.stat().st_size + 1))
    (only,) = found(here, "my tickets").fitting
    assert not only.is_whole
    assert 0 < only.rows <= HEAD // 100
    assert only.words.startswith("at least ")


@pytest.mark.parametrize(("count", "is_whole"), [(12, True), (9000, False)])
def test_of_a_packed_file_the_beginning_is_unpacked(here, count, is_whole):
    text = rows(here / "t.jsonl", count).read_bytes()
    (here / "t.jsonl").unlink()
    (here / "tickets.jsonl.gz").write_bytes(gzip.compress(text))
    (only,) = found(here, "my tickets").fitting
    assert (only.form, only.is_whole) == ("chat_messages", is_whole)


def test_what_can_only_be_read_whole_and_is_large_is_left_out_and_said(here, corpus, monkeypatch):
    shutil.copy(corpus / "qa_numbers.xlsx", here / "tickets.xlsx")
    assert shown(found(here, "my tickets")) == ["tickets.xlsx"]
    monkeypatch.setattr(locating, "MOST_SEALED", 100)
    located = found(here, "my tickets")
    assert located.fitting == ()
    assert located.unfit[0].endswith("are not looked into")


def test_a_damaged_file_is_a_reason_and_not_the_end(here):
    (here / "tickets.jsonl.gz").write_bytes(gzip.compress(b"x" * 999)[:20])
    rows(here / "tickets.jsonl")
    located = found(here, "tickets")
    assert shown(located) == ["tickets.jsonl"]
    assert len(located.unfit) == 1


def test_only_so_many_files_are_looked_into_the_likeliest_first(here, monkeypatch):
    monkeypatch.setattr(locating, "MOST_READ", 2)
    for name in ("a.jsonl", "b.jsonl", "z-tickets.jsonl"):
        rows(here / name)
    located = found(here, "my tickets")
    assert shown(located) == ["z-tickets.jsonl"]
    assert located.looked.endswith("3 data files, into 2 of them")


def test_the_method_decides_what_is_fit(here):
    rows(here / "tickets.jsonl")
    assert found(here, "tickets", method=Method.DPO).fitting == ()


def test_no_text_of_a_row_is_in_what_is_found(here):
    rows(here / "tickets.jsonl")
    assert "order" not in found(here, "tickets").model_dump_json()


def test_nothing_there_is_told(here):
    located = found(here, "my tickets")
    assert located.fitting == located.others == located.unfit == ()
    assert located.looked.endswith(": 0 data files")
