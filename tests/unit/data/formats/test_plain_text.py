"""Plain text: records with a text, and files that become rows without a letter lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.dataset import TEXT_ROLE, Message
from podtune.data.formats import plain_text
from podtune.data.formats.plain_text import PART, gather_text
from support.readings import numbered


def codes(converted):
    return [p.code for p in converted.problems]


@pytest.mark.parametrize("key", plain_text.KEYS)
def test_a_record_has_a_text_under_a_usual_key(key):
    record = {"id": 3, key.title(): " So it\nbegan. ", "url": "x"}
    assert plain_text.fits(record)
    assert plain_text.convert(record).messages == (Message(TEXT_ROLE, " So it\nbegan. "),)


def test_the_only_key_or_the_one_that_was_named_is_the_text():
    assert plain_text.convert({"story": "So."}).messages[0].content == "So."
    record = {"text": "no", "story": "So."}
    assert plain_text.convert(record, "story").messages[0].content == "So."
    assert not plain_text.fits({"text": "no"}, "story")


@pytest.mark.parametrize(
    ("value", "code"),
    [({"a": "x", "b": "y"}, "not_plain_text"), ({"text": 3}, "not_plain_text"),
     ({"messages": [{"role": "user", "content": "x"}]}, "not_plain_text"), ([], "not_plain_text"),
     (None, "not_plain_text"), ({"text": " \n\t"}, "empty_text"), ({"text": ""}, "empty_text")],
    ids=str,
)  # fmt: skip
def test_what_has_no_text_is_refused(value, code):
    converted = plain_text.convert(value)
    assert (converted.messages, codes(converted)) == ((), [code])


def test_a_part_says_that_it_goes_on():
    assert plain_text.convert({"text": "So", "continues": True}).continues is True
    assert plain_text.convert({"text": "So", "continues": 1}).continues is False


def gathered(text):
    return list(gather_text(numbered(text)))


def test_a_small_file_is_one_row_without_the_blanks_round_it():
    (record,) = gathered("\n\n  Once upon\n\n  a time.\n\n")
    assert (record.line, record.value) == (3, {"text": "Once upon\n\n  a time."})


@pytest.mark.parametrize("text", ["", "\n", "  \n \t\n", "\n" * (2 * PART + 3)])
def test_a_file_of_blanks_is_no_row(text):
    assert gathered(text) == []


def test_a_long_file_goes_on_at_the_next_paragraph():
    paragraph = "word " * 200
    text = "\n\n".join([paragraph.strip()] * 200)
    records = gathered(text)
    assert len(records) == pytest.approx(len(text) / PART, abs=1)
    assert [r.value.get("continues", False) for r in records] == [True] * (len(records) - 1) + [
        False
    ]
    assert "".join(r.value["text"] for r in records) == text
    assert all(len(r.value["text"]) < PART + 2 * len(paragraph) for r in records)
    lines = text.split("\n")
    for record in records:
        assert record.value["text"].startswith(lines[record.line - 1])


def test_a_text_without_paragraphs_goes_on_at_a_line():
    text = "\n".join(["x" * 100] * 3000)
    records = gathered(text)
    assert len(records) > 1
    assert all(r.value["text"].endswith("\n") for r in records[:-1])
    assert "".join(r.value["text"] for r in records) == text


def test_a_single_line_is_never_broken():
    (record,) = gathered("x" * (3 * PART))
    assert len(record.value["text"]) == 3 * PART


@given(st.lists(st.sampled_from(["", " ", "a", "b" * 40_000, "\tc "]), max_size=14))
def test_rows_put_together_are_the_file(lines):
    text = "\n".join(lines)
    records = gathered(text)
    assert "".join(r.value["text"] for r in records) == text.strip()
    assert all(r.value["text"].strip() for r in records)
    assert [r.line for r in records] == sorted({r.line for r in records})
