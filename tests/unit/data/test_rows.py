import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.dataset import Message
from podtune.data.findings import CODES
from podtune.data.rows import COMPLETION_NAMES, PROMPT_NAMES, columns_of, from_object, from_pair

USER = {"role": "user", "content": "Why?"}
ANSWER = {"role": "assistant", "content": "Because."}
SYSTEM = {"role": "system", "content": "Be short."}


def chat(*messages):
    return from_object({"messages": list(messages)})


def codes(converted):
    return [problem.code for problem in converted.problems]


def texts(converted):
    return [(m.role, m.content) for m in converted.messages]


def test_messages_keep_their_order():
    converted = chat(SYSTEM, USER, ANSWER, USER, ANSWER)
    assert [m.role for m in converted.messages] == ["system", *["user", "assistant"] * 2]
    assert converted.problems == ()


def test_prompt_and_completion_become_two_messages():
    converted = from_object({"prompt": " Why?\n", "completion": "Because.", "id": 7})
    assert texts(converted) == [("user", "Why?"), ("assistant", "Because.")]


def test_blanks_round_a_text_go_and_inner_line_breaks_stay():
    converted = chat(USER, {"role": "assistant", "content": "\n One\n\n  two \t"})
    assert converted.messages[-1].content == "One\n\n  two"


def test_keys_beside_role_and_content_are_left_out():
    assert texts(chat({**USER, "name": "Jo"}, {**ANSWER, "weight": 1})) == texts(chat(USER, ANSWER))


def test_messages_win_over_prompt_and_completion():
    both = {"messages": [USER, ANSWER], "prompt": "other", "completion": "other"}
    assert texts(from_object(both)) == [("user", "Why?"), ("assistant", "Because.")]


@pytest.mark.parametrize(
    ("spelling", "role"),
    [
        ("system", "system"),
        ("developer", "system"),
        ("human", "user"),
        ("User", "user"),
        (" ASSISTANT ", "assistant"),
        ("gpt", "assistant"),
    ],
)
def test_spellings_of_roles(spelling, role):
    converted = chat({"role": spelling, "content": "x"}, USER, ANSWER)
    assert converted.messages[0].role == role


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (None, ["not_one_object_per_line"]),
        (3, ["not_one_object_per_line"]),
        ("text", ["not_one_object_per_line"]),
        ([USER, ANSWER], ["not_one_object_per_line"]),
        ({}, ["no_messages"]),
        ({"text": "x"}, ["no_messages"]),
        ({"prompt": "x"}, ["no_messages"]),
        ({"messages": None}, ["no_messages"]),
        ({"messages": []}, ["no_messages"]),
        ({"messages": "x"}, ["no_messages"]),
        ({"messages": {"role": "user"}}, ["no_messages"]),
        ({"messages": ["x"]}, ["not_text"]),
        ({"messages": [None, ANSWER]}, ["not_text"]),
        ({"messages": [{"content": "x"}, ANSWER]}, ["missing_role"]),
        ({"messages": [{"role": None, "content": "x"}, ANSWER]}, ["missing_role"]),
        ({"messages": [{"role": "boss", "content": "x"}, ANSWER]}, ["bad_role"]),
        ({"messages": [{"role": 1, "content": "x"}, ANSWER]}, ["bad_role"]),
        ({"messages": [{"role": "user"}, ANSWER]}, ["not_text"]),
        ({"messages": [{"role": "user", "content": ["x"]}, ANSWER]}, ["not_text"]),
        ({"messages": [USER]}, ["no_assistant"]),
        ({"messages": [SYSTEM, USER]}, ["no_assistant"]),
        ({"messages": [USER, {"role": "assistant", "content": "  \n"}]}, ["empty_answer"]),
        ({"prompt": 1, "completion": None}, ["not_text", "not_text"]),
        ({"prompt": "x", "completion": ""}, ["empty_answer"]),
    ],
    ids=str,
)
def test_a_record_that_cannot_be_trained_on(record, expected):
    converted = from_object(record)
    assert codes(converted) == expected
    assert converted.messages == ()


def test_all_problems_of_a_record_are_named_at_once():
    converted = chat({"content": "x"}, {"role": "boss", "content": "x"}, {"role": "user"}, ANSWER)
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
        (True, "true or false"),
        (1, "a number"),
        (1.5, "a number"),
    ],
)
def test_what_stands_instead_of_a_text_is_named_by_its_kind(value, words):
    assert from_pair(value, "x").problems[0].detail == f"prompt is {words}"


def test_an_empty_list_of_messages_is_said_to_be_empty():
    assert "empty" in from_object({"messages": []}).problems[0].detail


def test_the_keys_that_were_found_are_named_but_not_their_values():
    detail = from_object({"question_text": "PRIVATE", "reply_text": "PRIVATE"}).problems[0].detail
    assert "question_text" in detail
    assert "PRIVATE" not in detail


def test_one_empty_answer_among_good_ones_keeps_the_row_out():
    converted = chat(USER, ANSWER, USER, {"role": "assistant", "content": ""})
    assert codes(converted) == ["empty_answer"]


def test_a_trailing_user_turn_is_dropped_and_said():
    converted = chat(USER, ANSWER, USER, USER)
    assert codes(converted) == ["trailing_user_turn"]
    assert texts(converted) == texts(chat(USER, ANSWER))


@pytest.mark.parametrize("system", [None, "", "  ", 3])
def test_a_pair_without_a_system_text_has_two_messages(system):
    assert len(from_pair("Why?", "Because.", system).messages) == 2


def test_a_pair_with_a_system_text_begins_with_it():
    first = from_pair("Why?", "Because.", " Be short. ").messages[0]
    assert first == Message(role="system", content="Be short.")


@pytest.mark.parametrize(
    ("header", "wanted", "found"),
    [
        (["prompt", "completion"], {}, {"prompt": "prompt", "completion": "completion"}),
        (["id", " Question ", "ANSWER"], {}, {"prompt": " Question ", "completion": "ANSWER"}),
        (
            ["system", "instruction", "output"],
            {},
            {"prompt": "instruction", "completion": "output", "system": "system"},
        ),
        (["a", "b"], {"prompt": "B", "completion": " a "}, {"prompt": "b", "completion": "a"}),
        (["prompt", "answer"], {"prompt": "frage"}, {"completion": "answer"}),
        (["x", "y"], {}, {}),
        ([], {}, {}),
    ],
)
def test_columns_by_what_was_asked_for_then_by_name(header, wanted, found):
    assert columns_of(header, wanted) == found


def test_the_first_name_of_the_table_wins():
    found = columns_of(["answer", "question", "prompt", "completion"], {})
    assert found == {"prompt": "prompt", "completion": "completion"}


@pytest.mark.parametrize("prompt", PROMPT_NAMES)
@pytest.mark.parametrize("completion", COMPLETION_NAMES)
def test_every_usual_pair_of_names_is_known(prompt, completion):
    found = columns_of([completion, prompt], {})
    assert found == {"prompt": prompt, "completion": completion}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["messages", "role", "content", "prompt", "completion", "x"]), inner
        )
    ),
    max_leaves=12,
)
roles = st.sampled_from(["user", "assistant", "system", "gpt", "boss", 1, None])
chats = st.lists(st.fixed_dictionaries({"role": roles, "content": json_values}), max_size=5)


@given(json_values | chats.map(lambda messages: {"messages": messages}))
def test_whatever_the_record_it_is_usable_or_has_an_error_of_the_table(record):
    converted = from_object(record)
    errors = [c for c in codes(converted) if CODES[c].severity == "error"]
    assert bool(converted.messages) != bool(errors)
    if converted.messages:
        assert converted.messages[-1].role != "user"
        answers = [m.content for m in converted.messages if m.role == "assistant"]
        assert answers
        assert all(answers)
