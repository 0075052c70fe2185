"""The data: stated as it can be fetched, hinted at for the locator, or asked."""

import pytest

from support.understanding import asked, heard


@pytest.mark.parametrize(
    ("words", "source"),
    [
        ("./data/tickets.jsonl", "./data/tickets.jsonl"),
        ("s3://bkt/rows.jsonl", "s3://bkt/rows.jsonl"),
        ("acme/helpdesk-chats (HF dataset)", "hf://acme/helpdesk-chats"),
        ("https://example.com/faq.jsonl", "https://example.com/faq.jsonl"),
    ],
)
def test_a_reference_is_stated(words, source):
    found = heard(f"train smollm2 135m on {words}")
    assert found.stated["data.source"] == source
    assert asked(found, "dataset") is None
    assert found.data_hint is None


def test_what_is_described_is_for_the_locator():
    found = heard("Fine-tune smollm2 135m on my support tickets")
    assert found.data_hint == "my support tickets"
    assert not asked(found, "dataset").must


def test_nothing_said_must_be_answered():
    assert asked(heard("train smollm2 135m, 3 epochs"), "dataset").must
    assert asked(heard("train smollm2 135m, 3 epochs", dataset="a.csv"), "dataset") is None


def test_an_address_that_cannot_be_read_is_told_and_asked():
    found = heard("train smollm2 135m on supabase://datasets/run.jsonl")
    assert "data.source" not in found.stated
    assert asked(found, "dataset").must
    assert "supabase://datasets/run.jsonl" in found.told[0]


def test_an_address_without_its_beginning_is_confirmed():
    found = heard("train smollm2 135m on our repo at github.com/acme/api")
    assert found.assumed["data.source"][0] == "https://github.com/acme/api"
    assert not asked(found, "dataset").must


def test_a_service_must_be_exported_first():
    found = heard("Fine-tune smollm2 135m on Zendesk, we have an API connection")
    assert asked(found, "dataset").must
    assert any("not read directly" in told for told in found.told)
