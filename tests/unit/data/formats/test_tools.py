"""Calls of functions: what may be called, with what arguments, and whose answer is whose."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.dataset import Message
from podtune.data.formats import chat, tools

USER = {"role": "user", "content": "Weather in Linz?"}
ANSWER = {"role": "assistant", "content": "12 degrees."}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def calling(*calls, **more):
    return {"role": "assistant", "content": None, "tool_calls": list(calls), **more}


def call(arguments, **more):
    return {"type": "function", "function": {"name": "weather", "arguments": arguments}, **more}


def told(identity=None, text="12"):
    value = {"role": "tool", "content": text}
    return value if identity is None else {**value, "tool_call_id": identity}


def codes(converted):
    return [problem.code for problem in converted.problems]


# What may be called


@pytest.mark.parametrize(
    "value", [[WEATHER], [WEATHER["function"]], json.dumps([WEATHER]), f" {json.dumps([WEATHER])} "]
)
def test_functions_are_declared_as_a_list_or_as_text(value):
    problems = []
    assert tools.declared(value, problems) == (WEATHER,)
    assert problems == []


@pytest.mark.parametrize("value", [None, "", "  ", {}, 3, [], ["x", 3], "{}", "null"])
def test_what_declares_nothing(value):
    problems = []
    assert tools.declared(value, problems) == ()
    assert problems == []


def test_declarations_that_are_no_json_keep_the_row_out():
    converted = chat.converted([USER, ANSWER], "[{'name': 'weather'")
    assert [(p.code, p.detail) for p in converted.problems] == [
        ("bad_tool_arguments", "`tools` is not JSON")
    ]
    assert converted.messages == ()


# Calls and their arguments


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"city": "Linz"}', '{"city": "Linz"}'),
        ('{"city":  "Linz"}', '{"city":  "Linz"}'),
        ({"city": "Linz"}, '{"city": "Linz"}'),
        ({"city": "Größe"}, '{"city": "Größe"}'),
        ('{"x": 1.10, "e": 1e3}', '{"x": 1.10, "e": 1e3}'),
        ({"x": 1.10, "n": 12345678901234567890123}, '{"x": 1.1, "n": 12345678901234567890123}'),
        ("", "{}"),
        (None, "{}"),
        ({}, "{}"),
    ],
)
def test_arguments_become_json_text(arguments, text):
    converted = chat.converted([USER, calling(call(arguments, id="a1")), told("a1"), ANSWER])
    assert converted.problems == ()
    assert converted.messages[1] == Message(
        "assistant",
        None,
        (
            {
                "id": "a1",
                "type": "function",
                "function": {"name": "weather", "arguments": text},
            },
        ),
    )


@pytest.mark.parametrize("text", ["{'city': 'Linz'}", '{"city": "Linz",}', "{“city”: “Linz”}"])
def test_arguments_that_can_be_mended_are_offered_that(text):
    converted = chat.converted([USER, calling(call(text)), told(), ANSWER])
    assert [(p.code, p.repair) for p in converted.problems] == [
        ("bad_tool_arguments", "tool-arguments")
    ]
    arguments = converted.messages[1].tool_calls[0]["function"]["arguments"]
    assert json.loads(arguments) == {"city": "Linz"}


@pytest.mark.parametrize("value", ["city=Linz", "[1]", "3", '{"city": ', [1], 3, True])
def test_arguments_that_are_no_object_keep_the_row_out(value):
    converted = chat.converted([USER, calling(call(value)), told(), ANSWER])
    assert codes(converted) == ["bad_tool_arguments"]
    assert converted.problems[0].detail == "message 2"
    assert converted.messages == ()


def test_arguments_under_the_name_parameters():
    value = {"name": "weather", "parameters": {"city": "Linz"}}
    converted = chat.converted([USER, calling(value), told(), ANSWER])
    assert converted.messages[1].tool_calls[0]["function"] == {
        "name": "weather",
        "arguments": '{"city": "Linz"}',
    }


@pytest.mark.parametrize("value", ["x", 3, None, {"function": "x"}, {"function": {}}, {"id": "x"}])
def test_a_call_that_is_none_keeps_the_row_out(value):
    converted = chat.converted([USER, calling(value), ANSWER])
    assert "bad_tool_arguments" in codes(converted)
    assert converted.messages == ()


def test_the_older_form_of_a_call():
    older = {
        "role": "assistant",
        "content": None,
        "function_call": {"name": "weather", "arguments": '{"city": "Linz"}'},
    }
    answer = {"role": "function", "name": "weather", "content": "12"}
    converted = chat.converted([USER, older, answer, ANSWER], [WEATHER["function"]])
    assert converted.problems == ()
    assert converted.messages[1].tool_calls == (call('{"city": "Linz"}'),)
    assert converted.messages[2] == Message("tool", "12", name="weather")
    assert converted.tools == (WEATHER,)


def test_a_call_with_words_beside_it_keeps_them():
    converted = chat.converted([USER, calling(call({}), content=" Let me see. "), told(), ANSWER])
    assert converted.messages[1].content == "Let me see."


def test_only_the_assistant_calls():
    converted = chat.converted([{**USER, "tool_calls": [call({})]}, ANSWER])
    assert converted.messages[0].tool_calls == ()


def test_several_calls_in_one_text_of_sharegpt():
    problems = []
    found = tools.from_text('[{"name": "a"}, {"name": "b", "arguments": {"x": 1}}]', 2, problems)
    assert [c["function"] for c in found] == [
        {"name": "a", "arguments": "{}"},
        {"name": "b", "arguments": '{"x": 1}'},
    ]
    assert problems == []


# Whose answer is whose


@pytest.mark.parametrize(
    ("calls", "answers"),
    [
        (["a1"], ["a1"]),
        (["a1", "a2"], ["a1", "a2"]),
        (["a1", "a2"], ["a2", "a1"]),
        (["a1", "a2"], [None, None]),
        (["a1", "a2"], ["a2", None]),
        ([None], ["a1"]),
        ([None, None], [None, None]),
        (["a1", "a2"], ["a1"]),
    ],
)
def test_answers_find_their_calls(calls, answers):
    made = [call({}) if i is None else call({}, id=i) for i in calls]
    converted = chat.converted([USER, calling(*made), *map(told, answers), ANSWER])
    assert converted.problems == ()


@pytest.mark.parametrize(
    ("calls", "answers"),
    [
        (["a1"], ["a9"]),
        (["a1"], ["a1", "a1"]),
        (["a1"], [None, None]),
        (["a1", "a2"], ["a1", "a3"]),
    ],
)
def test_an_answer_to_no_call_keeps_the_row_out(calls, answers):
    made = [call({}, id=i) for i in calls]
    converted = chat.converted([USER, calling(*made), *map(told, answers), ANSWER])
    assert codes(converted) == ["tool_call_id_mismatch"]
    assert converted.messages == ()


def test_an_answer_before_any_call():
    assert codes(chat.converted([USER, told("a1"), ANSWER])) == ["tool_call_id_mismatch"]


def test_the_message_is_counted_as_it_stands_in_the_record():
    converted = chat.converted([USER, told("a1"), ANSWER], None, "Be short.")
    assert converted.problems[0].detail == "message 2"


def test_calls_of_a_later_turn_are_answered_by_their_own():
    rows = [
        USER, calling(call({}, id="a1")), told("a1"), ANSWER,
        USER, calling(call({}, id="b1")), told("b1"), ANSWER,
    ]  # fmt: skip
    assert chat.converted(rows).problems == ()


@given(st.text() | st.dictionaries(st.text(), st.text()).map(json.dumps))
def test_a_call_that_is_kept_has_arguments_that_are_an_object(text):
    converted = chat.converted([USER, calling(call(text)), told(), ANSWER])
    if converted.messages:
        arguments = converted.messages[1].tool_calls[0]["function"]["arguments"]
        assert isinstance(json.loads(arguments), dict)
        assert tools.is_object(arguments)


def test_a_lone_surrogate_is_no_object():
    assert not tools.is_object('{"a": "\ud800"}')
