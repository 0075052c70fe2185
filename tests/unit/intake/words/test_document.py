"""A document finds tokens by place and clauses by token, at a bounded cost."""

from datetime import datetime

from podtune.intake.words.document import REACH, Document
from podtune.intake.words.tokens import tokenise

NOW = datetime(2026, 11, 22, 10)  # noqa: DTZ001 - local time


def document(text):
    return Document(text, text, text, text, tokenise(text, "en"), [], "en", NOW)


def test_a_clause_ends_at_commas():
    text = "one thing, not that thing, another"
    made = document(text)
    start, end = made.clause(made.at(text.index("that")))
    assert text[start:end] == "not that thing"
    assert made.is_negated(text.index("that"))
    assert not made.is_negated(text.index("another"))


def test_a_clause_without_end_is_followed_so_far():
    text = "word " * 500
    start, end = document(text).clause(250)
    assert end - start <= (2 * REACH + 1) * 5
