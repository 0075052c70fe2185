"""The codes of findings: severity, what it means, and what to do. One table."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from podtune.core.dataset import Finding, Severity


class Code(NamedTuple):
    """A kind of finding."""

    severity: Severity
    message: str
    advice: str


_E, _W = Severity.ERROR, Severity.WARNING

CODES: Final[Mapping[str, Code]] = {
    "bad_json": Code(_E, "not valid JSON", "correct the line; each line is one JSON object"),
    "not_one_object_per_line": Code(
        _E, "not a JSON object", 'write one object a line: {"messages": [...]}'
    ),
    "no_messages": Code(
        _E,
        "neither `messages` nor `prompt` and `completion`",
        'use {"messages": [{"role": ..., "content": ...}, ...]} or {"prompt": ..., "completion": ...}',
    ),
    "missing_role": Code(
        _E, "a message without `role`", "give each message role user, assistant or system"
    ),
    "bad_role": Code(_E, "an unknown role", "use system, user or assistant"),
    "not_text": Code(_E, "a content that is not text", "make `content` a string"),
    "no_assistant": Code(
        _E, "no assistant turn: nothing to learn from", "add the answer, or remove the row"
    ),
    "empty_question": Code(_E, "an empty question", "write the question, or remove the row"),
    "too_many_cells": Code(
        _E,
        "more cells than the header has columns",
        "put text that holds the delimiter in quotes",
    ),
    "empty_answer": Code(_E, "an empty assistant turn", "write the answer, or remove the row"),
    "missing_column": Code(
        _E, "a column is missing", "name the columns with --set data.columns.prompt=NAME"
    ),
    "bad_quoting": Code(
        _E, "a quoted cell is never closed", 'close the quotes; a quote inside a cell is ""'
    ),
    "too_long": Code(
        _E,
        "more tokens than max_length",
        "shorten the row, or raise it with --set training.max_length=N",
    ),
    "stop_token_untrained": Code(
        _E,
        "the model's template gives this row no stop token to learn",
        "use a base model whose chat template ends a turn with its stop token",
    ),
    "zero_mask": Code(_E, "no token of the row would be trained", "check the assistant turns"),
    "template_refused": Code(
        _E,
        "the model's chat template refuses the row",
        "check the order of roles (most templates want user and assistant in turn)",
    ),
    "empty_line": Code(_W, "an empty line", "nothing to do; it is not counted as a row"),
    "bom": Code(_W, "starts with a byte order mark", "nothing to do; it is left out"),
    "crlf": Code(_W, "lines end in CR LF", "nothing to do"),
    "duplicate": Code(
        _W, "repeats an earlier row", "remove it unless the repetition is meant as weight"
    ),
    "trailing_user_turn": Code(
        _W, "ends with a user turn that nobody answers", "add the answer, or remove the turn"
    ),
    "too_few_rows": Code(
        _W, "fewer than 10 rows", "collect 50 or more; with so few the adapter learns by heart"
    ),
}
"""Every code this floor can give."""


def finding(
    code: str, line: int | None = None, row: int | None = None, detail: str | None = None
) -> Finding:
    """A finding with the table's words; `detail` adds facts (never row text)."""
    entry = CODES[code]
    message = f"{entry.message} ({detail})" if detail else entry.message
    return Finding(
        code=code,
        severity=entry.severity,
        message=message,
        advice=entry.advice,
        line=line,
        row=row,
    )
