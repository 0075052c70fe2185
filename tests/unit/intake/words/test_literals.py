"""What is taken as it stands."""

import pytest

from podtune.intake.words.literals import HEAD, TAIL, Kind, blank, find


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("on ./a/b.jsonl, now", Kind.FILE, "./a/b.jsonl"), ("on a.jsonl.gz.", Kind.FILE, "a.jsonl.gz"), ("s3://b/k/ now", Kind.STORE, "s3://b/k/"), ("see https://x.org/a?b=1, ok", Kind.URL, "https://x.org/a?b=1"), ("at github.com/a/b now", Kind.HOST, "github.com/a/b"),
        ("in kb/*.md", Kind.GLOB, "kb/*.md"), ("in ~/x/y/", Kind.FOLDER, "~/x/y/"), ("Qwen/Qwen3-8B.", Kind.PAIR, "Qwen/Qwen3-8B"), ("push it as mill/bot privately", Kind.PAIR, "mill/bot"), ('say "two words"', Kind.QUOTED, "two words"), ("'a.csv'", Kind.FILE, "a.csv"), ("data/客服.jsonl,", Kind.FILE, "data/客服.jsonl"), ("C:\\x\\y.csv", Kind.FILE, "C:\\x\\y.csv"),
    ],
)  # fmt: skip
def test_a_literal(text, kind, value):
    (found,) = find(text)
    assert (found.kind, found.value) == (kind, value)


@pytest.mark.parametrize(
    "text",
    [
        "and/or",
        "billing/bug/feature",
        "$3.50/hr",
        "train/test split",
        "it's what we've got",
        "3.1 and 2.5",
        "q/a pairs",
    ],
)
def test_no_literal(text):
    assert find(text) == []


def test_blanking_keeps_every_place():
    text = "on a.csv now"
    assert blank(text, find(text)) == f"on {HEAD}{TAIL * 4} now"


def test_two_words_in_brackets_behind_a_file_are_no_id():
    assert [found.value for found in find("on rows.jsonl (good/bad)")] == ["rows.jsonl"]
    assert [found.value for found in find("our tickets (org/tickets)")] == ["org/tickets"]
