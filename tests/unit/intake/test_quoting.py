"""Quotes: the words as they stood, without what may not be shown."""

from hypothesis import given
from hypothesis import strategies as st

from podtune.intake.quoting import LONGEST, one_line, quotes
from podtune.intake.words.parse import Span, parse
from support.words import NOW


def of(text):
    return quotes(parse(text, NOW), text)


def test_the_words_of_each_field():
    found = of("Fine-tune Mistral 7B on rows.csv, 3 epochs, under $5")
    assert found["epochs"] == "3 epochs"
    assert found["budget_amount"] == "$5"
    assert found["dataset_ref"] == "rows.csv"


def test_keys_are_never_quoted():
    secret = "hf_" + "AbCdEfGhIjKlMnOpQrSt12345678"
    text = f"train mistral 7b on data.jsonl, my hf token is {secret}"
    parsed = parse(text, NOW)._replace(spans={"epochs": Span(0, len(text))})
    assert secret not in quotes(parsed, text)["epochs"]


def test_where_a_key_hides_between_unseen_signs_nothing_is_quoted():
    secret = "hf_AbCdEf\u200bGhIjKl\u200bMnOpQrSt12345678"
    text = f"train mistral 7b on data.jsonl with {secret}"
    parsed = parse(text, NOW)
    assert "secret_in_request" in parsed.flags
    shown = quotes(parsed, text)
    assert all("GhIjKl" not in words for words in shown.values())


def test_queries_and_users_of_addresses_are_left_out():
    assert (
        one_line("https://me:pw@x.example/a.jsonl?sig=abc&v=1 now")
        == "https://x.example/a.jsonl now"
    )


def test_hidden_signs_and_lines_are_left_out():
    assert one_line("a\u202eb\n  c\u200b") == "ab c"
    assert len(one_line("x" * 500)) == LONGEST


@given(st.text(max_size=300))
def test_any_text_is_one_line(text):
    line = one_line(text)
    assert len(line) <= LONGEST
    assert "\n" not in line
    assert line.isprintable()
