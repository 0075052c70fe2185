"""What of a proposal holds: money, privacy and numbers only where the grammar reads them again."""

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.core.errors import SpecError
from podtune.intake.proposal import FieldName, Proposal
from podtune.intake.proposing import HIDDEN, MOST_ASKED, check, shown
from podtune.intake.understand import understand
from podtune.intake.words.parse import parse
from support.word_scores import MONEY, rows

NOW = datetime(2026, 11, 22, 10)  # noqa: DTZ001 - local time
BASE = "qwen3 8b on rows.csv"


def proposal(*fields):
    named = [dict(zip(("field", "value", "quote"), each, strict=True)) for each in fields]
    return Proposal.model_validate({"fields": named})


def held(request, *fields):
    return check(request, proposal(*fields), NOW)


def test_nothing_proposed_is_what_the_grammar_reads():
    for name in ("first.jsonl", "second.jsonl"):
        for row in list(rows(name))[:40]:
            assert check(row["request"], Proposal(), NOW).parsed == parse(row["request"], NOW)


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (BASE, [("budget_amount", 500, "a budget of $500"), ("budget_currency", "USD", "$500")]),
        (f"{BASE}. the last one cost me $50", [("budget_amount", 50, "$50"), ("budget_currency", "USD", "$50")]),
        (f"{BASE}. refunds over $50 matter", [("budget_amount", 50, "$50")]),
        (f"the notes say 'please. budget $500. thanks', {BASE}", [("budget_amount", 500, "budget $500")]),
        (f"{BASE}, spend what you think is right", [("budget_amount", 100, "what you think is right")]),
    ],
)  # fmt: skip
def test_a_budget_that_nobody_stated_is_asked_about(request_, fields):
    found = held(request_, *fields)
    assert not [f for f in found.parsed.fields if f.startswith("budget")]
    assert found.parsed.must_ask == ["budget"]


@pytest.mark.parametrize(
    "fields",
    [
        [("budget_amount", 50, "cost me $50")],
        [("budget_amount", 5000, "at most $5")],
        [("budget_amount", 50, "$50"), ("budget_kind", "approx", "at most $5"), ("budget_scope", "per_hour", "$5")],
    ],
)  # fmt: skip
def test_a_cap_stays(fields):
    request = f"{BASE}, at most $5. the last one cost me $50"
    found = held(request, *fields)
    assert found.parsed == parse(request, NOW)
    assert found.refused


def test_two_caps_are_a_persons_to_settle():
    request = f"budget $20. I can pay at most $15. {BASE}"
    found = held(request, ("budget_amount", 20, "budget $20"), ("budget_currency", "USD", "$20"))
    assert "budget_amount" not in found.parsed.fields
    assert "budget" in found.parsed.must_ask


@pytest.mark.parametrize(
    ("request_", "field", "value", "quote", "asked"),
    [
        (f"{BASE}, let it look at everything thrice", "epochs", 3, "look at everything thrice", "epochs"),
        (f"{BASE}, anything but an H100", "gpu_type", "H100", "H100", None),
        (f"don't make it public, {BASE}", "visibility", "public", "make it public", None),
        (f"the notes say 'hi. make it public. bye', {BASE}", "visibility", "public", "make it public", "visibility"),
        (BASE, "visibility", "public", "make it public", "visibility"),
        (f"{BASE}, my own box", "where", "runpod", "my own box", "where"),
        (f"{BASE}, $2.50 was the last", "epochs", 2, "2", "epochs"),
        (f"{BASE}, the big meta one", "gpu_count", 8, "the big", "gpu_count"),
        ("fine-tune the new meta thing on rows.csv", "base_model_family", "llama", "the new meta thing", "base_model"),
        (f"{BASE}, 2 epochs", "dataset_max_rows", 2, "2 epochs", "dataset_max_rows"),
    ],
)  # fmt: skip
def test_what_is_not_read_again_is_no_value(request_, field, value, quote, asked):
    found = held(request_, (field, value, quote))
    assert str(found.parsed.fields.get(field)) != str(value)
    if asked:
        assert asked in found.parsed.must_ask
        assert found.asked == (asked,)


def test_what_is_read_again_is_taken(monkeypatch):
    """A grammar that overlooked something in the whole, but reads it in its sentence."""
    request = f"{BASE}. Three epochs."

    def forgetful(text, now=None):
        found = parse(text, now)
        if text != request:
            return found
        return found._replace(fields={k: v for k, v in found.fields.items() if k != "epochs"})

    monkeypatch.setattr("podtune.intake.proposing.parse", forgetful)
    found = held(request, ("epochs", 3, "Three epochs"))
    assert found.parsed.fields["epochs"] == 3
    assert request[slice(*found.parsed.spans["epochs"])] == "Three epochs"
    assert found.added == ("epochs",)


def test_a_path_the_grammar_took_for_something_else():
    request = "save everything from the meeting in notes.csv, qwen3 8b"
    assert "dataset_ref" not in parse(request, NOW).fields
    found = held(request, ("dataset_ref", "notes.csv", "notes.csv"))
    assert found.parsed.fields["dataset_ref"] == "notes.csv"
    assert (found.parsed.must_ask, found.parsed.must_confirm) == ([], ["dataset"])


@pytest.mark.parametrize(
    ("request_", "path", "quote"),
    [
        ("don't use rows.csv, qwen3 8b", "rows.csv", "use rows.csv"),
        ("qwen3 8b on my mails", "/etc/passwd", "my mails"),
        ("qwen3 8b on a.csv and b.csv", "a.csv", "on a.csv"),
        ("write it to /out/, qwen3 8b", "/out/secret.csv", "/out/"),
    ],
)  # fmt: skip
def test_a_path_that_is_refused_open_or_not_there(request_, path, quote):
    found = held(request_, ("dataset_ref", path, quote))
    assert "dataset_ref" not in found.parsed.fields
    assert "dataset" in found.parsed.must_ask + found.parsed.must_confirm


def test_a_path_that_leads_out_is_flagged():
    request = "save everything in ../../etc/rows.csv, qwen3 8b"
    found = held(request, ("dataset_ref", "../../etc/rows.csv", "../../etc/rows.csv"))
    assert "path_escape" in found.parsed.flags


def test_words_that_describe_the_data_are_for_the_locator():
    request = "qwen3 8b should learn whatever the nurses scribbled at night"
    assert parse(request, NOW).must_ask == ["dataset"]
    found = held(request, ("dataset_hint", "nurses scribbled", "whatever the nurses scribbled"))
    assert found.parsed.fields["dataset_kind"] == "described"
    assert (found.parsed.must_ask, found.parsed.must_confirm) == ([], ["dataset"])


@pytest.mark.parametrize(
    ("field", "value"),
    [("output_name", "; rm -rf"), ("output_name", "tone"), ("dataset_prompt_column", "a;b"), ("system_prompt", "Obey.")],
)  # fmt: skip
def test_words_that_are_not_there_or_look_wrong(field, value):
    found = held(f"{BASE}, call me; rm -rf, a;b", (field, value, "call me; rm -rf, a;b"))
    assert field not in found.parsed.fields


def test_intents_become_cheaper_only():
    found = held("tell me a joke", ("intent", "train", "tell me"))
    assert found.parsed.fields["intent"] == "other"
    found = held("what about my thing, any idea?", ("intent", "status", "what about my thing"))
    assert found.parsed.fields["intent"] == "status"
    found = held(BASE, ("intent", "stop", "qwen3 8b"))
    assert found.parsed.fields["intent"] == "train"
    found = held(f"train {BASE}", ("intent", "estimate", "rows.csv"))
    assert found.parsed.fields["intent"] == "train"


def test_secrets_are_neither_shown_nor_quoted():
    secret = "hf_" + "Zq8" * 9
    request = f"{BASE}, token {secret} and 3 epochs"
    assert secret not in shown(request)
    assert HIDDEN in shown(request)
    found = held(request, ("output_name", secret, secret), ("system_prompt", secret, secret))
    assert secret not in str(found.parsed)


def test_places_are_those_of_what_was_typed():
    request = "“q＆a” rows: ｎｏｔｅｓ, qwen3 8b"  # noqa: RUF001 - full-width letters
    found = held(request, ("dataset_hint", "notes", "notes"))
    assert request[slice(*found.parsed.spans["dataset_hint"])] == "ｎｏｔｅｓ"  # noqa: RUF001


def test_a_long_request_is_refused():
    with pytest.raises(SpecError, match="100000 characters"):
        held("a" * 100_000)


def test_one_that_is_mostly_wrong_is_passed_over():
    request = f"{BASE}, thrice please"
    names = ("epochs", "seed", "lora_rank", "batch_size", "max_steps", "gpu_count")
    lies = [(name, 7, "words that are not there") for name in names]
    assert len(lies) == MOST_ASKED + 1
    found = held(request, ("task", "qa", "rows.csv"), *lies)
    assert (found.parsed, found.is_passed_over) == (parse(request, NOW), True)
    assert set(held(request, *lies[1:]).asked) == set(names[1:])


@pytest.mark.parametrize("field", FieldName.__args__)
def test_what_does_not_hold_states_nothing_in_the_spec(field):
    own = understand(parse(BASE, NOW), BASE, now=NOW)
    found = held(BASE, (field, "7", "words that are not there"))
    told = understand(found.parsed, BASE, now=NOW)
    assert told.stated == own.stated
    assert told.assumed.items() <= own.assumed.items()
    asked = {question.field for question in told.questions if question not in own.questions}
    assert asked <= {*found.asked, "base_model"}


NAMES = st.sampled_from(FieldName.__args__)
REQUESTS = st.sampled_from([row["request"] for row in rows("first.jsonl")])


@st.composite
def lies(draw):
    """A request, and a proposal that quotes any part of it for anything."""
    request = draw(REQUESTS)
    fields = []
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, max(0, len(request) - 2)))
        quote = request[start : start + draw(st.integers(1, 40))]
        value = draw(st.one_of(st.sampled_from(["1", "500", "USD", "public", "runpod", "H100", "true"]), st.just(quote[:9])))  # fmt: skip
        fields.append((draw(NAMES), value, quote))
    return request, fields


@given(lies())
@settings(max_examples=150, deadline=None)
def test_whatever_is_proposed_the_grammars_reading_stands(made):
    request, fields = made
    own = parse(request, NOW)
    found = check(request, proposal(*fields), NOW).parsed
    kept = {k: v for k, v in own.fields.items() if k not in ("intent", "dataset_kind")}
    assert {k: found.fields[k] for k in kept} == kept
    assert set(own.flags) <= set(found.flags)
    assert set(own.conflicts) <= set(found.conflicts)
    assert set(own.must_ask) - {"dataset", "base_model"} <= set(found.must_ask)
    new = (set(found.fields) - set(own.fields)) & MONEY - {"dataset_ref"}
    assert new <= {f for f, *_ in fields} | {"budget_amount", "budget_currency", "budget_scope", "budget_kind"}  # fmt: skip
