"""Which format a file has: one record each, no format takes another's, and what a sample tells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.dataset import Confidence
from podtune.data.formats import registry
from podtune.data.record import Record

TURNS = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]
SHARED = [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}]
CHATML = "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\nSo.<|im_end|>\n"

RECORDS = {
    "preference": [
        {"prompt": "Why?", "chosen": "So.", "rejected": "No."},
        {"chosen": TURNS, "rejected": TURNS},
        {"input": {"messages": TURNS[:1]}, "preferred_output": TURNS[1:],
         "non_preferred_output": TURNS[1:]},
        {"instruction": "x", "input": "", "output": "y", "chosen": "a", "rejected": "b"},
        {"messages": TURNS, "chosen": TURNS, "rejected": TURNS},
    ],
    "api_log": [
        {"request": {"model": "m", "messages": TURNS[:1]},
         "response": {"choices": [{"message": TURNS[1], "finish_reason": "stop"}]}},
    ],
    "zendesk": [
        {"id": 1, "subject": "x", "requester_id": 7, "comments": [
            {"id": 1, "author_id": 7, "body": "Why?", "public": True},
            {"id": 2, "author_id": 8, "body": "So.", "public": True}]},
    ],
    "intercom": [
        {"type": "conversation", "id": "1",
         "source": {"body": "<p>Why?</p>", "author": {"type": "user", "id": "u"}},
         "conversation_parts": {"conversation_parts": [
             {"part_type": "comment", "body": "<p>So.</p>", "author": {"type": "admin", "id": "a"}}]}},
    ],
    "chatgpt_export": [
        {"title": "t", "current_node": "c", "mapping": {
            "a": {"id": "a", "message": None, "parent": None, "children": ["b"]},
            "b": {"id": "b", "parent": "a", "children": ["c"], "message": {
                "author": {"role": "user"}, "content": {"content_type": "text", "parts": ["Why?"]}}},
            "c": {"id": "c", "parent": "b", "children": [], "message": {
                "author": {"role": "assistant"},
                "content": {"content_type": "text", "parts": ["So."]}}}}},
    ],
    "rated": [
        {"prompt": "x", "completion": "y", "label": True},
        {"prompt": TURNS[:1], "completion": TURNS[1:], "label": False},
        {"messages": TURNS, "thumbs": "up"},
        {"messages": TURNS, "thumbs": -1, "rating": 5},
        {"conversations": SHARED, "rating": "bad"},
        {"instruction": "x", "output": "y", "feedback": 0},
    ],
    "sharegpt": [
        {"conversations": SHARED, "label": "billing"},
        {"conversations": SHARED},
        {"id": "x", "conversations": SHARED, "system": "s"},
        {"messages": SHARED},
        {"conversation": SHARED},
    ],
    "chat_messages": [
        {"messages": TURNS},
        {"messages": TURNS, "tools": [], "prompt": "x", "completion": "y"},
        {"conversations": TURNS},
        {"conversation": TURNS},
        {"dialogue": TURNS},
        {"messages": []},
        {"prompt": "the first turn", "prompt_id": "1", "messages": TURNS},
        {"messages": TURNS, "rating": 4},
        {"messages": TURNS, "label": 1},
    ],
    "alpaca": [
        {"instruction": "x", "input": "", "output": "y"},
        {"instruction": "x", "output": "y", "text": "Below is an instruction. x y"},
        {"Instruction": "x", "Response": "y"},
        {"instruction": "x", "input": "z", "output": "y", "history": [], "system": ""},
    ],
    "prompt_completion": [
        {"prompt": "x", "completion": "y"},
        {"prompt": TURNS[:1], "completion": TURNS[1:]},
        {"input": "x", "output": "y"},
        {"source": "x", "target": "y"},
    ],
    "chatml_text": [{"text": CHATML}, {"text": CHATML, "id": 3}],
    "human_assistant_text": [{"text": "Human: Why?\n\nAssistant: So."}],
    "prompts_only": [{"prompt": "x"}, {"question": "x", "id": 3}, {"instruction": "x", "input": ""}],
    "unknown": [{}, {"a": 1}, {"text": "Only prose, nobody speaks."}, {"role": "user", "content": "x"}],
}  # fmt: skip
"""Records that have one format and no other."""

EACH = [(name, record) for name, found in RECORDS.items() for record in found]


@pytest.mark.parametrize(("name", "record"), EACH, ids=str)
def test_each_record_has_its_own_format(name, record):
    assert registry.of_record(record).name == name


def test_every_format_of_records_has_a_sample():
    assert set(RECORDS) == {f.name for f in registry.FORMATS} | {"unknown"}


@pytest.mark.parametrize(("name", "record"), [e for e in EACH if e[0] not in
    ("unknown", "prompts_only") and e[1] != {"messages": []}], ids=str)  # fmt: skip
def test_a_format_converts_its_own_records(name, record):
    converted = registry.of_name(name).convert(record, lambda problem: None)
    if (
        record.get("chosen") == record.get("rejected") and "chosen" in record
    ) or "preferred_output" in record:
        assert [p.code for p in converted.problems] == ["chosen_equals_rejected"]
    else:
        assert converted.messages, converted.problems
        assert converted.messages[-1].role == "assistant"


@pytest.mark.parametrize("value", [None, 3, "text", TURNS, True])
def test_what_is_no_object_has_no_format(value):
    assert registry.of_record(value) is registry.UNKNOWN


def test_a_format_is_found_by_its_name():
    for found in registry.FORMATS:
        assert registry.of_name(found.name) is found
    assert registry.of_name("nonsense") is registry.UNKNOWN


def test_every_name_is_there_once():
    assert len(set(registry.NAMES)) == len(registry.NAMES)
    assert {"qa_table", "slack", "discord", "whatsapp", "mbox", "faq_markdown"} <= set(
        registry.NAMES
    )


# A sample of records


def sample(*values):
    return [Record(n, value) for n, value in enumerate(values, start=1)]


@pytest.mark.parametrize(
    ("name", "record"), [e for e in EACH if e[0] not in ("unknown", "prompts_only")], ids=str
)
def test_a_file_of_one_format_is_certain(name, record):
    told = registry.recognise(sample(*[record] * 5))
    assert told.name == name
    assert told.recognised.confidence is Confidence.CERTAIN
    assert "5 of 5" in told.recognised.why


@pytest.mark.parametrize("names", [("chat_messages", "sharegpt"), ("alpaca", "chat_messages")])
@pytest.mark.parametrize(
    ("many", "few", "confidence"),
    [(19, 1, Confidence.CERTAIN), (7, 3, Confidence.LIKELY), (11, 9, Confidence.GUESS)],
)
def test_of_several_the_commonest_is_taken_and_the_other_named(names, many, few, confidence):
    first, second = (RECORDS[name][0] for name in names)
    told = registry.recognise(sample(*[second] * few, *[first] * many))
    assert told.name == names[0]
    assert told.recognised.confidence is confidence
    assert told.recognised.others == (names[1],)


def test_records_that_cannot_be_read_say_nothing():
    told = registry.recognise(sample(None, "x", *RECORDS["chat_messages"][:1] * 2))
    assert (told.name, told.recognised.confidence) == ("chat_messages", Confidence.CERTAIN)


@pytest.mark.parametrize(("values", "why"), [([], "read"), ([None], "read"), ([{"a": 1}], "known")])
def test_nothing_known_is_a_guess(values, why):
    told = registry.recognise(sample(*values))
    assert (told.name, told.recognised.confidence) == ("unknown", Confidence.GUESS)
    assert why in told.recognised.why


@pytest.mark.parametrize("is_table", [True, False])
def test_keys_that_ask_and_answer_make_a_table(is_table):
    record = {"id": 1, "customer_message": "Why?", "agent_reply": "So."}
    told = registry.recognise(sample(record, record), is_table=is_table)
    assert told.name == "qa_table"
    assert "'customer_message' asks and 'agent_reply' answers" in told.recognised.why


def test_prompts_without_answers_are_told_apart_from_tables():
    record = {"prompt": "x", "id": 1}
    assert registry.recognise(sample(record)).name == "prompts_only"
    assert registry.recognise(sample(record), is_table=True).name == "unknown"


def test_single_messages_are_gathered_by_their_log():
    slack = {"type": "message", "user": "U1", "text": "x", "ts": "1700000000.000100"}
    told = registry.recognise(sample(slack, slack))
    assert told.name == "slack"
    assert "single messages" in told.recognised.why


KEYS = st.sampled_from(
    ["messages", "conversations", "role", "content", "from", "value", "prompt", "completion",
     "chosen", "rejected", "instruction", "output", "text", "request", "response", "comments",
     "source", "conversation_parts", "body", "author", "ts", "type"]
)  # fmt: skip
values = st.recursive(
    st.none() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(KEYS, values, max_size=5))
def test_whatever_the_record_its_format_takes_it_without_harm(record):
    found = registry.of_record(record)
    converted = found.convert(record, lambda problem: None)
    assert converted.messages or converted.problems
    assert registry.recognise(sample(record)).name in {*registry.NAMES, "unknown"}
