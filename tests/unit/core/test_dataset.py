import pytest
from pydantic import ValidationError

from podtune.core.dataset import Conversation, DatasetReport, Message, Severity
from podtune.data.findings import finding
from support import build


def test_template_input_keeps_order_and_text():
    row = build.conversation("Why?", "Because.", system="Be short.")
    assert row.as_template_input() == [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": "Because."},
    ]


def test_template_input_is_a_fresh_list_each_time():
    row = build.conversation("Why?", "Because.")
    row.as_template_input()[0]["content"] = "changed"
    assert row.messages[0].content == "Why?"


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


@pytest.mark.parametrize("kind", [Conversation, DatasetReport, Message])
def test_parts_are_frozen_and_refuse_unknown_keys(kind):
    assert kind.model_config["frozen"] is True
    with pytest.raises(ValidationError, match="surprise"):
        kind.model_validate({"surprise": 1})
