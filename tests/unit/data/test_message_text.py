import pytest

from podtune.core.dataset import Message
from podtune.data.message_text import private_parts, texts, whole, with_text

CALL = {
    "id": "1",
    "type": "function",
    "function": {"name": "find", "arguments": '{"q": "ann@example.org"}'},
}
FULL = Message("assistant", "said", (CALL,), name="Ann", reasoning_content="thought")


def test_every_text_of_a_message_is_looked_through():
    assert sorted(texts(FULL)) == sorted(["said", "thought", "Ann", '{"q": "ann@example.org"}'])
    assert texts(Message("assistant", None)) == []


def test_every_text_of_a_message_is_changed_and_the_rest_stays():
    changed = with_text(FULL, str.upper)
    assert (changed.content, changed.reasoning_content, changed.name) == ("SAID", "THOUGHT", "ANN")
    assert changed.tool_calls[0]["function"] == {
        "name": "find",
        "arguments": '{"Q": "ANN@EXAMPLE.ORG"}',
    }
    assert changed.tool_calls[0]["id"] == "1"
    assert with_text(Message("user", None), str.upper) == Message("user", None)


@pytest.mark.parametrize(
    "other",
    [
        FULL._replace(content="other"),
        FULL._replace(reasoning_content="other"),
        FULL._replace(weight=0),
        FULL._replace(name="Bob"),
        FULL._replace(role="user"),
        FULL._replace(tool_calls=({**CALL, "function": {"name": "find", "arguments": "{}"}},)),
        FULL._replace(tool_calls=()),
    ],
)
def test_messages_that_differ_in_anything_are_no_repeats(other):
    assert whole(other) != whole(FULL)


def test_the_id_of_a_call_makes_no_other_message():
    assert whole(FULL._replace(tool_calls=({**CALL, "id": "2"},))) == whole(FULL)


def test_a_key_in_an_answer_is_told_apart_from_one_in_a_question():
    key = "hf_Qm4zT9vLx2RbNc7WkPdYs3JhGa8EuFoi"
    assert set(private_parts((Message("user", key),))) == {"secret"}
    assert set(private_parts((Message("assistant", key),))) == {"secret_in_answer"}
    assert set(private_parts((FULL,))) == {"pii_email"}
    assert key not in str(private_parts((Message("user", key),)))
