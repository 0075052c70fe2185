import pytest
from pydantic import ValidationError

from podtune.core.dataset import (
    TEXT_ROLE,
    Choice,
    Conversation,
    DatasetReport,
    Finding,
    Message,
    Recognised,
    Severity,
)
from podtune.data.findings import finding
from support import build


def test_the_canonical_form_of_a_conversation():
    row = build.conversation("Why?", "Because.", system="Be short.")
    assert row.as_json() == {
        "messages": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": "Why?"},
            {"role": "assistant", "content": "Because."},
        ]
    }


def test_what_a_message_lacks_is_left_out_and_the_rest_is_there():
    assert Message("user", "x").as_json() == {"role": "user", "content": "x"}
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    full = Message("assistant", None, (call,), None, "Jo", "Look.", 0)
    assert full.as_json() == {
        "role": "assistant",
        "content": None,
        "reasoning_content": "Look.",
        "tool_calls": [call],
        "name": "Jo",
        "weight": 0,
    }
    assert full.text == ""
    assert Message("tool", "x", (), "1").as_json()["tool_call_id"] == "1"


@pytest.mark.parametrize("tools", [(), ({"type": "function"},)])
def test_a_preference_pair_is_parted_behind_the_last_question(tools):
    row = build.conversation("Why?", "Because.", system="Be short.")
    pair = row._replace(rejected=(Message("assistant", "No."),), tools=tools).as_json()
    assert [m["role"] for m in pair["prompt"]] == ["system", "user"]
    assert (pair["chosen"][0]["content"], pair["rejected"][0]["content"]) == ("Because.", "No.")
    assert pair.get("tools", []) == list(tools)


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        (["user", "assistant"], "0"),
        (["system", "user", "assistant", "user", "assistant"], "1"),
        (["assistant", "user", "assistant"], "1"),
        (["assistant"], ""),
        (["system", "assistant"], ""),
    ],
)
def test_first_user_turn(roles, expected):
    messages = tuple(Message(role=role, content=str(i)) for i, role in enumerate(roles))
    assert Conversation(messages=messages, line=1).first_user_turn() == expected


def test_errors_leaves_warnings_out_and_keeps_the_order():
    report = build.report(
        findings=(finding("crlf", 1), finding("bad_json", 2), finding("bad_role", 3))
    )
    assert [(f.code, f.line) for f in report.errors()] == [("bad_json", 2), ("bad_role", 3)]


def test_a_report_without_findings_has_no_errors():
    assert build.report().errors() == []


def test_a_report_survives_json_and_holds_no_rows():
    report = build.report(findings=(finding("too_long", 7, 5),), columns={"prompt": "question"})
    assert DatasetReport.model_validate_json(report.model_dump_json()) == report
    assert "messages" not in DatasetReport.model_fields


def test_severity_words():
    assert (Severity.ERROR, Severity.WARNING) == ("error", "warning")


@pytest.mark.parametrize("kind", [DatasetReport, Finding, Choice, Recognised])
def test_parts_are_frozen_and_refuse_unknown_keys(kind):
    assert kind.model_config["frozen"] is True
    with pytest.raises(ValidationError, match="surprise"):
        kind.model_validate({"surprise": 1})


def test_findings_can_be_taken_by_severity():
    report = build.report(findings=(finding("crlf"), finding("bad_json", 2), finding("few_rows")))
    assert [[f.code for f in report.of_severity(s)] for s in Severity] == [
        ["bad_json"],
        ["crlf"],
        ["few_rows"],
    ]


def test_a_longer_preference_pair_is_cut_behind_its_last_question():
    turns = [("system", "s"), ("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")]
    messages = tuple(Message(*turn) for turn in turns)
    value = Conversation(messages, 1, rejected=(Message("assistant", "e"),)).as_json()
    assert [m["content"] for m in value["prompt"]] == ["s", "a", "b", "c"]
    assert [m["content"] for m in value["chosen"]] == ["d"]


def test_what_both_sides_share_is_the_prompt_where_they_part_early():
    turns = [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")]
    messages = tuple(Message(*turn) for turn in turns)
    worse = (Message("assistant", "x"), Message("user", "c"), Message("assistant", "y"))
    row = Conversation(messages, 1, rejected=worse, shared=1)
    value = row.as_json()
    assert row.prompt_turns == 1
    assert [m["content"] for m in value["prompt"]] == ["a"]
    assert [m["content"] for m in value["chosen"]] == ["b", "c", "d"]
    assert [m["content"] for m in value["rejected"]] == ["x", "c", "y"]


@pytest.mark.parametrize("label", [True, False])
def test_a_rated_conversation_says_so(label):
    row = Conversation((Message("user", "a"), Message("assistant", "b")), 1, label=label)
    assert row.as_json()["label"] is label
    assert "label" not in row._replace(label=None).as_json()


def test_a_plain_text_is_its_own_question_and_has_no_turns():
    row = Conversation((Message(TEXT_ROLE, "Once."),), 1)
    assert (row.is_text, row.first_user_turn(), row.prompt_turns) == (True, "Once.", 0)
    assert row.as_json() == {"text": "Once."}
    assert row._replace(continues=True).as_json() == {"text": "Once.", "continues": True}
    assert Conversation((Message("user", "a"), Message("assistant", "b")), 1).is_text is False
