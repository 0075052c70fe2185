"""Messages with roles, in every spelling, and the rules each conversation obeys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.dataset import Message
from podtune.data.findings import CODES
from podtune.data.formats import chat

USER = {"role": "user", "content": "Why?"}
ANSWER = {"role": "assistant", "content": "Because."}
SYSTEM = {"role": "system", "content": "Be short."}
CALL = {"id": "a1", "type": "function", "function": {"name": "find", "arguments": '{"q": 1}'}}


def talk(*messages, **more):
    return chat.converted(list(messages), **more)


def share(*turns, **more):
    pairs = [{"from": who, "value": said} for who, said in turns]
    return chat.sharegpt({"conversations": pairs, **more})


def codes(converted):
    return [problem.code for problem in converted.problems]


def texts(converted):
    return [(m.role, m.content) for m in converted.messages]


def test_messages_keep_their_order():
    converted = talk(SYSTEM, USER, ANSWER, USER, ANSWER)
    assert [m.role for m in converted.messages] == ["system", *["user", "assistant"] * 2]
    assert converted.problems == ()


def test_blanks_round_a_text_go_and_inner_line_breaks_stay():
    converted = talk(USER, {"role": "assistant", "content": "\n One\n\n  two \t"})
    assert converted.messages[-1].content == "One\n\n  two"


def test_keys_that_are_not_known_are_left_out():
    known = texts(talk(USER, ANSWER))
    assert texts(talk({**USER, "at": 3}, {**ANSWER, "score": 1, "refusal": None})) == known


@pytest.mark.parametrize(("spelling", "role"), chat.ROLES.items())
@pytest.mark.parametrize("change", [str, str.upper, " {} ".format])
def test_every_spelling_of_a_role_is_known(spelling, role, change):
    problems = []
    assert chat._role({"role": change(spelling)}, 1, problems, "role") == role
    assert problems == []


@pytest.mark.parametrize(("spelling", "role"), chat.MEANT.items())
def test_other_names_of_roles_are_offered_a_repair(spelling, role):
    problems = []
    assert chat._role({"role": f" {spelling.title()}"}, 3, problems, "role") == role
    assert problems == [("bad_role", "message 3", "role-names")]


def test_no_name_of_a_role_stands_in_both_tables():
    assert not set(chat.ROLES) & set(chat.MEANT)


def test_a_row_with_another_name_of_a_role_is_whole_once_it_is_consented_to():
    converted = talk({"role": "customer", "content": "Why?"}, {"role": "bot", "content": "So."})
    assert texts(converted) == [("user", "Why?"), ("assistant", "So.")]
    assert codes(converted) == ["bad_role", "bad_role"]
    assert not any(chat.is_final(p) for p in converted.problems)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ["no_messages"]),
        (3, ["no_messages"]),
        ("text", ["no_messages"]),
        ([], ["no_messages"]),
        ({"role": "user"}, ["no_messages"]),
        (["x", USER, ANSWER], ["not_text"]),
        ([None, ANSWER], ["not_text"]),
        ([{"content": "x"}, ANSWER], ["missing_role"]),
        ([{"role": None, "content": "x"}, ANSWER], ["missing_role"]),
        ([{"role": "boss", "content": "x"}, ANSWER], ["bad_role"]),
        ([{"role": 1, "content": "x"}, ANSWER], ["bad_role"]),
        ([{"role": ["user"], "content": "x"}, ANSWER], ["bad_role"]),
        ([{"role": "user"}, ANSWER], ["not_text"]),
        ([{"role": "user", "content": None}, ANSWER], ["not_text"]),
        ([{"role": "user", "content": 3}, ANSWER], ["not_text"]),
        ([{"role": "user", "content": [3]}, ANSWER], ["not_text"]),
        ([{"role": "user", "content": {"text": "x"}}, ANSWER], ["not_text"]),
        ([USER, {"role": "assistant", "content": None}], ["not_text"]),
        ([USER], ["no_assistant"]),
        ([SYSTEM, USER], ["no_assistant"]),
        ([USER, {"role": "assistant", "content": "  \n"}], ["empty_answer"]),
        ([{"role": "user", "content": " "}, ANSWER], ["empty_question"]),
        ([USER, ANSWER, USER, {"role": "assistant", "content": ""}], ["empty_answer"]),
    ],
    ids=str,
)
def test_what_cannot_be_trained_on(value, expected):
    converted = chat.converted(value)
    assert codes(converted) == expected
    assert converted.messages == ()


def test_all_problems_of_a_record_are_named_at_once():
    converted = talk({"content": "x"}, {"role": "boss", "content": "x"}, {"role": "user"}, ANSWER)
    assert [(p.code, p.detail) for p in converted.problems] == [
        ("missing_role", "message 1"),
        ("bad_role", "message 2"),
        ("not_text", "message 3 is missing or null"),
    ]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "missing or null"),
        ({}, "an object"),
        ([], "a list"),
        ("x", "text"),
        (True, "true or false"),
        (1, "a number"),
        (1.5, "a number"),
    ],
)
def test_a_value_is_named_by_its_kind(value, words):
    assert chat.kind_of(value) == words


def test_an_empty_list_of_messages_is_said_to_be_empty():
    assert "empty" in (talk().problems[0].detail or "")


def test_keys_are_named_and_values_are_not():
    said = chat.named_keys({"question_text": "PRIVATE", "x" * 90: "PRIVATE"})
    assert "question_text" in said
    assert "PRIVATE" not in said
    assert len(said) < 80
    assert chat.named_keys({}) == "it has no keys"


# Contents in parts


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": " Why? "}], "Why?"),
        ([{"type": "text", "text": "Why"}, {"type": "text", "text": "not?"}], "Why\nnot?"),
        (["Why", "not?"], "Why\nnot?"),
        ([{"text": "Why?"}, {"type": "text", "text": ""}], "Why?"),
        ([{"type": "input_text", "text": "Why?"}], "Why?"),
    ],
)
def test_parts_of_text_are_joined_and_said(content, text):
    converted = talk({"role": "user", "content": content}, ANSWER)
    assert converted.messages[0].content == text
    assert codes(converted) == ["content_parts_joined"]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
        {"type": "image", "text": "a caption"},
        {"type": "input_audio", "input_audio": {}},
        {"type": "text", "text": None},
        {"type": ["image"]},
        {"type": "text"},
        7,
    ],
)
def test_an_image_or_sound_keeps_the_row_out(part):
    content = [{"type": "text", "text": "Look"}, part]
    converted = talk({"role": "user", "content": content}, ANSWER)
    assert codes(converted) == ["not_text"]


# Reasoning, weight, names


@pytest.mark.parametrize("key", chat.REASONING_KEYS)
def test_reasoning_is_kept_apart_from_the_answer(key):
    (_, answer) = talk(USER, {**ANSWER, key: " First ... "}).messages
    assert (answer.reasoning_content, answer.content) == ("First ...", "Because.")


@pytest.mark.parametrize("value", ["", " ", None, 3, ["x"]])
def test_what_is_no_reasoning_is_none(value):
    assert talk(USER, {**ANSWER, "reasoning": value}).messages[1].reasoning_content is None


def test_a_user_does_not_reason():
    assert talk({**USER, "thinking": "x"}, ANSWER).messages[0].reasoning_content is None


@pytest.mark.parametrize(
    ("value", "weight"),
    [(0, 0), (1, 1), (1.0, 1), (0.0, 0), ("0", 0), ("1", 1), (" 0.0 ", 0), (False, 0), (True, 1),
     ("false", 0), ("True", 1), (None, None)],
)  # fmt: skip
@pytest.mark.parametrize("key", chat.WEIGHT_KEYS)
def test_a_weight_is_nought_or_one(key, value, weight):
    converted = talk(USER, {**ANSWER, key: value})
    assert (converted.messages[1].weight, converted.problems) == (weight, ())


@pytest.mark.parametrize("value", [0.5, "0.5", 2, -1, "often", "", [0], {}])
@pytest.mark.parametrize("key", chat.WEIGHT_KEYS)
def test_any_other_weight_keeps_the_row_out(key, value):
    converted = talk(USER, {**ANSWER, key: value})
    assert [(p.code, p.detail) for p in converted.problems] == [
        ("bad_weight", f"`{key}` of message 2")
    ]
    assert converted.messages == ()


def test_a_turn_that_any_key_takes_out_is_context_only():
    assert talk(USER, {**ANSWER, "weight": 1, "train": False}).messages[1].weight == 0
    assert share(("human", "x"), ("gpt", "y")).messages[1].weight is None


def test_a_weight_of_what_is_never_trained_on_says_nothing():
    assert codes(talk({**USER, "weight": 0.7}, ANSWER)) == []


def test_names_are_kept():
    assert talk({**USER, "name": "Jo"}, ANSWER).messages[0].name == "Jo"


# Who speaks when


def test_a_trailing_user_turn_is_dropped_and_said():
    converted = talk(USER, ANSWER, USER, USER)
    assert codes(converted) == ["trailing_user_turn"]
    assert texts(converted) == texts(talk(USER, ANSWER))


def test_a_tool_s_answer_at_the_end_is_dropped_too():
    calling = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    converted = talk(USER, calling, {"role": "tool", "tool_call_id": "a1", "content": "3"})
    assert codes(converted) == ["trailing_user_turn"]
    assert converted.messages[-1].tool_calls


@pytest.mark.parametrize("before", [[], [SYSTEM]])
def test_an_assistant_that_speaks_first_is_said(before):
    assert codes(talk(*before, ANSWER, USER, ANSWER)) == ["assistant_first"]


@pytest.mark.parametrize(
    "messages", [[USER, USER, ANSWER], [USER, ANSWER, ANSWER], [SYSTEM, USER, ANSWER, ANSWER]]
)
def test_a_role_that_speaks_twice_is_said_and_kept(messages):
    converted = talk(*messages)
    assert codes(converted) == ["consecutive_roles"]
    assert len(converted.messages) == len(messages)


def test_two_answers_of_tools_are_not_one_role_speaking_twice():
    calling = {"role": "assistant", "tool_calls": [CALL, {**CALL, "id": "a2"}]}
    answers = [{"role": "tool", "tool_call_id": i, "content": "3"} for i in ("a1", "a2")]
    assert codes(talk(USER, calling, *answers, ANSWER)) == []


@pytest.mark.parametrize("system", ["Be short.", " Be short.\n"])
def test_a_system_text_beside_the_list_comes_first(system):
    assert texts(talk(USER, ANSWER, system=system))[0] == ("system", "Be short.")


@pytest.mark.parametrize("system", [None, "", "  ", 3, ["x"]])
def test_what_is_no_system_text_is_none(system):
    assert len(talk(USER, ANSWER, system=system).messages) == 2


def test_an_empty_system_message_goes():
    assert len(talk({"role": "system", "content": " "}, USER, ANSWER).messages) == 2


# ShareGPT


def test_sharegpt_is_the_same_in_other_words():
    converted = share(("system", "Be short."), ("human", " Why? "), ("gpt", "Because."))
    assert texts(converted) == texts(talk(SYSTEM, USER, ANSWER))
    assert converted.problems == ()


def test_sharegpt_with_a_system_text_beside_it():
    assert texts(share(("human", "Why?"), ("gpt", "So."), system="S"))[0] == ("system", "S")


@pytest.mark.parametrize("key", ["conversations", "conversation", "messages"])
def test_sharegpt_under_other_keys(key):
    pairs = [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}]
    assert texts(chat.sharegpt({key: pairs})) == [("user", "Why?"), ("assistant", "So.")]


@pytest.mark.parametrize("call", ["function_call", "tool_call"])
@pytest.mark.parametrize("answer", ["observation", "function_response", "tool_response"])
def test_sharegpt_with_a_call_and_its_answer(call, answer):
    converted = share(
        ("human", "Weather in Linz?"),
        (call, '{"name": "weather", "arguments": {"city": "Linz"}}'),
        (answer, '{"degrees": 12}'),
        ("gpt", "12 degrees."),
        tools='[{"name": "weather", "parameters": {}}]',
    )
    assert converted.problems == ()
    _, calling, told, said = converted.messages
    assert calling == Message(
        "assistant",
        None,
        ({"type": "function", "function": {"name": "weather", "arguments": '{"city": "Linz"}'}},),
    )
    assert (told.role, told.content, said.content) == ("tool", '{"degrees": 12}', "12 degrees.")
    assert converted.tools == (
        {"type": "function", "function": {"name": "weather", "parameters": {}}},
    )


@pytest.mark.parametrize("text", ["no JSON", "3", "[]", '{"arguments": {}}', ""])
def test_sharegpt_with_a_call_that_is_none(text):
    converted = share(("human", "x"), ("function_call", text), ("gpt", "y"))
    assert codes(converted) == ["bad_tool_arguments"]
    assert converted.messages == ()


def test_sharegpt_without_turns():
    assert codes(chat.sharegpt({"conversations": None})) == ["no_messages"]
    assert codes(chat.sharegpt({})) == ["no_messages"]


@pytest.mark.parametrize(
    ("value", "has"),
    [
        ([USER], True),
        ([1, 2, USER], True),
        ([1, 2, 3, USER], False),
        ([], False),
        (USER, False),
        (None, False),
        (["role"], False),
    ],
)
def test_whether_a_list_has_roles(value, has):
    assert chat.has_roles(value, ("role",)) is has


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "tool_calls", "function"]), inner
        )
    ),
    max_leaves=12,
)
roles = st.sampled_from(["user", "assistant", "system", "gpt", "tool", "boss", "bot", 1, None])
calls = st.lists(
    st.fixed_dictionaries(
        {"function": st.fixed_dictionaries({"name": json_values, "arguments": json_values})},
        optional={"id": json_values},
    ),
    max_size=2,
)
messages = st.lists(
    st.fixed_dictionaries(
        {"role": roles, "content": json_values},
        optional={"tool_calls": calls | json_values, "weight": json_values, "thinking": json_values},
    ),
    max_size=5,
)  # fmt: skip


@given(json_values | messages, json_values, json_values)
def test_whatever_the_record_it_is_usable_or_has_an_error_of_the_table(value, tools, system):
    converted = chat.converted(value, tools, system)
    errors = [p for p in converted.problems if CODES[p.code].severity == "error"]
    assert bool(converted.messages) != any(p.repair is None for p in errors)
    if converted.messages:
        assert converted.messages[-1].role == "assistant"
        answers = [m for m in converted.messages if m.role == "assistant"]
        assert all(m.content or m.tool_calls for m in answers)


@given(json_values)
def test_whatever_stands_in_sharegpt_it_is_judged(value):
    converted = share(("human", value), ("gpt", value), ("function_call", value))
    assert converted.messages or converted.problems
