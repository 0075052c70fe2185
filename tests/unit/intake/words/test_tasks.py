"""Tasks by a few words."""

import pytest


@pytest.mark.parametrize(
    ("words", "task"),
    [
        ("classify tickets", "classification"),
        ("summarize meetings", "summarization"),
        ("translate manuals", "translation"),
        ("write like me", "writing_style"),
        ("a support bot", "customer_support"),
        ("tool calls", "tool_use"),
    ],
)
def test_a_task(fields, words, task):
    assert fields(f"train qwen3 8b on rows.csv to {words}")["task"] == task
