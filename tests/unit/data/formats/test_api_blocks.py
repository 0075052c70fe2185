import json

from hypothesis import given
from hypothesis import strategies as st

from podtune.data.formats.api_blocks import blocks_as_messages, tools_of


def test_calls_results_and_thoughts_of_anthropic():
    spoken = {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Which city?"},
            {"type": "text", "text": "Let me "},
            {"type": "text", "text": "look."},
            {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Linz"}},
        ],
    }
    (message,) = blocks_as_messages(spoken)
    assert message["content"] == "Let me look."
    assert message["reasoning_content"] == "Which city?"
    (call,) = message["tool_calls"]
    assert (call["id"], call["function"]["name"]) == ("t1", "weather")
    assert json.loads(call["function"]["arguments"]) == {"city": "Linz"}
    answer = {
        "role": "user",
        "content": [
            {
                "type": "tool_result",
                "tool_use_id": "t1",
                "content": [{"type": "text", "text": "12"}],
            },
            {"type": "text", "text": "Well?"},
        ],
    }
    assert blocks_as_messages(answer) == [
        {"role": "tool", "tool_call_id": "t1", "content": "12"},
        {"role": "user", "content": "Well?"},
    ]


def test_items_of_the_responses_api():
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    (message,) = blocks_as_messages(call)
    assert message["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "c", "output": "7"}
    assert blocks_as_messages(result) == [{"role": "tool", "tool_call_id": "c", "content": "7"}]
    asked = {"role": "user", "content": [{"type": "input_text", "text": "q"}]}
    assert blocks_as_messages(asked) == [{"role": "user", "content": "q"}]


def test_plain_messages_need_no_translation():
    assert blocks_as_messages({"role": "user", "content": "q"}) == []
    assert blocks_as_messages({"role": "user", "content": [{"type": "text", "text": "q"}]}) == []


def test_tools_in_every_form():
    openai = {"type": "function", "function": {"name": "a"}}
    assert tools_of({"tools": [openai]}) == [openai]
    schema = {"type": "object"}
    assert tools_of({"tools": [{"name": "b", "description": "d", "input_schema": schema}]}) == [
        {"type": "function", "function": {"name": "b", "description": "d", "parameters": schema}}
    ]
    assert tools_of({"functions": [{"name": "c"}]}) == [
        {"type": "function", "function": {"name": "c"}}
    ]
    assert tools_of({"tools": [3, {"type": "web_search"}]}) == []


KEYS = st.sampled_from(
    [
        "type",
        "role",
        "content",
        "text",
        "input",
        "name",
        "id",
        "arguments",
        "tools",
        "thinking",
        "tool_use_id",
    ]
)
VALUES = st.recursive(
    st.none() | st.integers() | st.sampled_from(["assistant", "user", "tool_use", "tool_result", "text", "function_call"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@given(st.dictionaries(KEYS, VALUES))
def test_odd_values_raise_nothing(value):
    assert all("role" in message for message in blocks_as_messages(value))
    assert all("function" in tool for tool in tools_of(value))
