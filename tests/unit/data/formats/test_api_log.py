import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.data.formats import api_log
from support.readings import said

ASKED = [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]
CHOICE = {
    "index": 0,
    "message": {"role": "assistant", "content": "a", "refusal": None},
    "finish_reason": "stop",
}
RESPONSE = {"id": "x", "object": "chat.completion", "choices": [CHOICE]}
TALK = [("system", "s"), ("user", "q"), ("assistant", "a")]
ANTHROPIC = {
    "request": {"model": "m", "system": "s", "messages": [{"role": "user", "content": "q"}]},
    "response": {
        "role": "assistant",
        "content": [{"type": "text", "text": "a"}],
        "stop_reason": "end_turn",
    },
}
RESPONSES = {
    "request": {"instructions": "s", "input": "q"},
    "response": {
        "output": [
            {"type": "reasoning", "summary": []},
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "a"}],
            },
        ],
        "status": "completed",
    },
}


def turns(value):
    notes = []
    told, tools = api_log.turns(value, notes.append)
    return said(told), tools, [n.code for n in notes]


@pytest.mark.parametrize(
    "value",
    [
        {"request": {"messages": ASKED, "model": "m"}, "response": RESPONSE},
        {"request": json.dumps({"messages": ASKED}), "response": json.dumps(RESPONSE)},
        {"request_body": {"messages": ASKED}, "response_body": RESPONSE},
        {"input": {"messages": ASKED}, "output": RESPONSE},
        {"input": ASKED, "output": "a"},
        {"input": ASKED, "output": {"role": "assistant", "content": "a"}},
        {"input": ASKED, "output": [{"role": "assistant", "content": "a"}]},
        {
            "custom_id": "1",
            "body": {"messages": ASKED},
            "response": {"status_code": 200, "body": RESPONSE},
        },
        {
            "custom_id": "1",
            "request": {"body": {"messages": ASKED}},
            "response": {"body": RESPONSE},
        },
        {"messages": ASKED, "choices": [CHOICE], "object": "chat.completion"},
        {"messages": ASKED, "response": RESPONSE},
        ANTHROPIC,
        {
            **ANTHROPIC,
            "request": {**ANTHROPIC["request"], "system": [{"type": "text", "text": "s"}]},
        },
        RESPONSES,
    ],
)
def test_every_form_tells_the_same(value):
    assert api_log.fits(value)
    assert turns(value) == (TALK, [], [])


def test_completions_of_old():
    value = {
        "request": {"prompt": "q"},
        "response": {"choices": [{"text": " a", "finish_reason": "stop"}]},
    }
    assert api_log.fits(value)
    assert turns(value)[0] == [("user", "q"), ("assistant", " a")]
    assert turns({"prompt": "q", "choices": [{"text": "a"}]})[0] == [
        ("user", "q"),
        ("assistant", "a"),
    ]


@pytest.mark.parametrize(
    "response",
    [
        {"choices": [{**CHOICE, "finish_reason": "length"}]},
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "a"}],
            "stop_reason": "max_tokens",
        },
        {
            **RESPONSES["response"],
            "status": "incomplete",
            "incomplete_details": {"reason": "max_output_tokens"},
        },
    ],
)
def test_answers_that_were_cut_are_noted(response):
    told, _, notes = turns({"request": {"messages": ASKED}, "response": response})
    assert told == TALK
    assert notes == ["truncated_answer"]


@pytest.mark.parametrize(
    "response",
    [
        {"error": {"message": "overloaded"}},
        {"choices": []},
        {"status_code": 500, "body": {}},
        {"status_code": 429, "body": RESPONSE},
        {"type": "error", "choices": [CHOICE]},
        None,
    ],
)
def test_failed_calls_have_no_answer(response):
    earlier = [
        *ASKED,
        {"role": "assistant", "content": "before"},
        {"role": "user", "content": "q2"},
    ]
    value = {"request": {"messages": earlier}, "response": response}
    assert turns(value)[0] == [("system", "s"), ("user", "q"), ("user", "q2")]


def test_a_response_without_its_request_teaches_nothing():
    value = {"custom_id": "1", "response": {"status_code": 200, "body": RESPONSE}}
    assert api_log.fits(value)
    assert turns(value)[0] == []


def test_calls_of_tools_are_kept_and_other_keys_are_not():
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    tool = {"type": "function", "function": {"name": "f"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call], "annotations": []}
    value = {
        "request": {"messages": ASKED, "tools": [tool]},
        "response": {"choices": [{"message": message, "finish_reason": "tool_calls"}]},
    }
    told, tools = api_log.turns(value, lambda _: None)
    assert told[-1] == {"role": "assistant", "content": None, "tool_calls": [call]}
    assert tools == [tool]


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"messages": ASKED},
        {"instruction": "x", "input": "y", "output": "z"},
        {"input": "q", "output": "a"},
        {"input": ["q"], "output": "a"},
        {"prompt": "q", "response": "a"},
        {"prompt": "q", "completion": "a"},
        {"request": "a question", "response": "an answer"},
        {"body": "text", "response": "text"},
        {"prompt": "q", "chosen": "a", "rejected": "b"},
    ],
)
def test_other_records_do_not_fit(value):
    assert not api_log.fits(value)
    assert turns(value)[0] == []


KEYS = st.sampled_from(
    [
        "request",
        "response",
        "body",
        "messages",
        "input",
        "output",
        "choices",
        "message",
        "content",
        "role",
        "error",
        "custom_id",
        "status_code",
        "finish_reason",
        "stop_reason",
        "system",
        "prompt",
        "type",
        "text",
        "tools",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["user", "assistant", "text", "length", "{", '{"messages": []}']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)  # fmt: skip


@given(st.dictionaries(KEYS, VALUES))
def test_odd_values_raise_nothing(value):
    api_log.fits(value)
    told, tools, _ = turns(value)
    assert isinstance(told, list)
    assert isinstance(tools, list)


def test_deep_json_text_raises_nothing():
    assert api_log.turns({"request": '{"a":' * 100_000, "response": "[" * 100_000}, print) == (
        [],
        [],
    )
