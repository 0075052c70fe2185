"""The codes of findings: severity, what it means, and what to do. One table."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Final, NamedTuple

from podtune.core.dataset import Finding, Severity
from podtune.data.record import Problem

KEPT: Final = 1000
"""Findings of one code that are listed one by one; beyond it they are only counted."""


class Code(NamedTuple):
    """A kind of finding."""

    severity: Severity
    message: str
    advice: str
    per_file: bool = False
    """Said once for the file, with a count, however many rows it concerns."""
    shown_as: str | None = None
    """The code people see, where two severities share one."""


_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE

CODES: Final[Mapping[str, Code]] = {
    "bad_json": Code(_E, "not valid JSON", "correct the line; each line is one JSON object"),
    "no_messages": Code(
        _E,
        "nothing that could be a conversation",
        'use {"messages": [{"role": ..., "content": ...}, ...]} or {"prompt": ..., "completion": ...}',
    ),
    "missing_role": Code(
        _E, "a message without `role`", "give each message role user, assistant or system"
    ),
    "bad_role": Code(_E, "an unknown role", "use system, user, assistant or tool"),
    "not_text": Code(_E, "a content that is not text", "make `content` a string"),
    "binary_file": Code(
        _E,
        "no text and no container that is known",
        "give an export as text, a table or an archive; `docs/reference/data.md` lists what is read",
        shown_as="not_text",
    ),
    "no_assistant": Code(
        _E, "no assistant turn: nothing to learn from", "add the answer, or remove the row"
    ),
    "empty_question": Code(_E, "an empty question", "write the question, or remove the row"),
    "too_many_cells": Code(
        _E,
        "more cells than the header has columns",
        "put text that holds the delimiter in quotes",
        shown_as="bad_quoting",
    ),
    "empty_answer": Code(_E, "an empty answer", "write the answer, or remove the row"),
    "missing_column": Code(
        _E, "a column is missing", "name the columns: --map prompt=NAME --map completion=NAME"
    ),
    "bad_quoting": Code(
        _E, "a quoted cell is never closed", 'close the quotes; a quote inside a cell is ""'
    ),
    "bad_tool_arguments": Code(
        _E, "the arguments of a tool call are not JSON", "write them as a JSON object"
    ),
    "tool_call_id_mismatch": Code(
        _E,
        "a tool's answer that belongs to no call",
        "give the tool message the id of the call before it",
    ),
    "chosen_equals_rejected": Code(
        _E, "the better and the worse answer are the same", "remove the pair, or correct one side"
    ),
    "pair_prompts_differ": Code(
        _E,
        "the better and the worse answer answer different conversations",
        "give both sides the same prompt, or remove the pair",
    ),
    "no_pair": Code(
        _E,
        "no worse answer beside the better one",
        "add it under `rejected`, or train with --set method=sft",
    ),
    "not_rated": Code(
        _E,
        "an answer that nobody rated",
        "add `label`: true or false, or train with --set method=sft",
    ),
    "bad_label": Code(
        _E, "a rating that is neither good nor bad", "use true for good and false for bad"
    ),
    "rated_bad": Code(
        _E,
        "an answer that was rated bad: supervised training would learn it",
        "train with --set method=kto, which learns from good and bad, or leave it out",
    ),
    "not_plain_text": Code(
        _E,
        "a conversation and no plain text",
        "train on it with --set method=sft, or give texts",
    ),
    "plain_text": Code(
        _E,
        "plain text, in which nobody asks and nobody answers",
        "train on all of it with --set method=cpt, or write questions with their answers",
        shown_as="no_messages",
    ),
    "text_divided": Code(
        _N,
        "longer than a row: it was divided into pieces, nothing of it is left out",
        "nothing to do; longer pieces with --set training.max_length=N",
    ),
    "empty_text": Code(_E, "an empty text", "write it, or remove the row"),
    "empty_file": Code(_E, "the file holds nothing", "put rows into it: JSON lines, or a table"),
    "too_long": Code(
        _E,
        "more tokens than max_length",
        "shorten the row, or raise it with --set training.max_length=N",
    ),
    "stop_token_untrained": Code(
        _E,
        "the model has no stop token that this row could teach",
        "use a base model whose generation config names its stop tokens",
    ),
    "stop_token_added": Code(
        _N,
        "the model's template ends answers without a stop token: the next turn's, or its own, was "
        "added and is trained",
        "nothing to do; without it the model would never learn to stop",
        True,
    ),
    "asked_with_more": Code(
        _N,
        "the model is asked with a thought, begun or empty, that its finished turns do not show",
        "nothing to do; the template is the base model's own",
        True,
    ),
    "reasoning_left_out": Code(
        _W,
        "the model's template leaves the reasoning of an answer out: it is not trained on",
        "use a base model whose chat template shows reasoning",
        True,
    ),
    "shortened": Code(
        _W,
        "longer than max_length: it ends with its last answer that fits",
        "nothing to do, or keep all of it with --set training.max_length=N",
    ),
    "answer_lost": Code(
        _E,
        "the model's chat template leaves the text of an answer out",
        "use a base model whose chat template writes the `content` of messages",
    ),
    "tool_calls_lost": Code(
        _E,
        "the model's chat template does not show the row's tool calls",
        "use a base model whose template knows tools, or remove the row",
    ),
    "bad_weight": Code(
        _E,
        "a weight that is neither 0 nor 1",
        "use 0 for context only, 1 to train on the turn",
    ),
    "zero_mask": Code(_E, "no token of the row would be trained", "check the assistant turns"),
    "template_refused": Code(
        _E,
        "the model's chat template refuses the row",
        "check the order of roles (most templates want user and assistant in turn)",
    ),
    "secret": Code(
        _W,
        "holds what looks like a key or password",
        "take it out, or blot it out with --fix redact-secrets; then revoke it",
    ),
    "secret_in_answer": Code(
        _E,
        "an answer holds what looks like a key or password: the model would learn it",
        "blot it out with --fix redact-secrets, or remove the row; then revoke the key",
        shown_as="secret",
    ),
    "pii_email": Code(_W, "holds an e-mail address", "blot them out with --fix redact-pii"),
    "pii_phone": Code(_W, "holds a telephone number", "blot them out with --fix redact-pii"),
    "pii_card": Code(_W, "holds a payment card number", "blot them out with --fix redact-pii"),
    "pii_iban": Code(_W, "holds a bank account number", "blot them out with --fix redact-pii"),
    "empty_line": Code(_W, "an empty line", "nothing to do; it is not counted as a row"),
    "bom": Code(_W, "starts with a byte order mark", "nothing to do; it is left out", True),
    "crlf": Code(_W, "lines end in CR LF", "nothing to do", True),
    "encoding_converted": Code(
        _W, "is not UTF-8 and was converted", "look at the first row; nothing to do if it reads well", True,
    ),
    "not_one_object_per_line": Code(
        _W, "objects that go over several lines", "nothing to do; they are read one by one", True
    ),
    "duplicate": Code(
        _W,
        "repeats an earlier row",
        "leave it out with --fix drop-duplicates, unless the repetition is meant as weight",
    ),
    "near_duplicate": Code(
        _W, "nearly repeats an earlier row", "look at both; keep the better one"
    ),
    "conflicting_answers": Code(
        _W, "the same question as an earlier row, with another answer", "decide for one answer"
    ),
    "train_val_leak": Code(
        _W,
        "a held-out question that is also trained on",
        "remove it from one side; `podtune data split` never does this",
    ),
    "trailing_user_turn": Code(
        _W,
        "ends with a user turn that nobody answers; the turn is left out",
        "add the answer, or remove the turn",
    ),
    "assistant_first": Code(
        _W, "begins with the assistant", "most templates want a user turn first; add one"
    ),
    "consecutive_roles": Code(
        _W, "one role speaks twice in a row", "join the turns; some templates refuse them"
    ),
    "truncated_answer": Code(
        _W, "an answer that seems to be cut off", "complete it; the model would learn to stop there"
    ),
    "mojibake": Code(
        _W,
        "text that was decoded wrongly (such as Ã© for é)",
        "export it again as UTF-8, or mend it with --fix mojibake",
    ),
    "too_few_rows": Code(
        _W,
        "too few rows to learn anything but these",
        "collect 50 or more; with so few the adapter learns by heart",
        True,
    ),
    "list_not_used": Code(
        _W,
        "a list of the document was not read",
        "name the one that is meant by taking it out into a file of its own",
        True,
    ),
    "method_mismatch_sft": Code(
        _W,
        "preference pairs: supervised training uses the better answer only",
        "nothing to do, or train with --set method=dpo",
        True,
    ),
    "internal_notes_dropped": Code(
        _W, "internal notes were left out", "nothing to do; they are never trained on", True
    ),
    "bot_messages_dropped": Code(
        _W, "messages of bots were left out", "nothing to do; they are never trained on", True
    ),
    "unthreaded_messages_dropped": Code(
        _W, "messages outside any thread were left out", "nothing to do; nobody answers them", True
    ),
    "quoted_text_stripped": Code(
        _W, "quoted mail and signatures were left out", "nothing to do", True
    ),
    "html_stripped": Code(_W, "HTML became text", "look at the first row", True),
    "already_templated": Code(
        _W,
        "holds the markers of a chat template",
        "nothing to do where the turns were told apart; else remove the markers",
        True,
    ),
    "mixed_reasoning_styles": Code(
        _W,
        "some answers show their reasoning and some do not",
        "decide for one way: the model cannot know when to think",
        True,
    ),
    "mixed_language": Code(
        _W, "rows in several languages", "nothing to do if it is meant so", True
    ),
    "content_parts_joined": Code(
        _W, "contents in several parts were joined", "nothing to do", True
    ),
    "common_prompt_suffix": Code(
        _W,
        "every prompt ends in the same separator",
        "a chat template makes it needless; take it off with --fix strip-suffixes",
        True,
    ),
    "common_completion_suffix": Code(
        _W,
        "every answer ends in the same stop mark",
        "the model would learn to say it; take it off with --fix strip-suffixes",
        True,
    ),
    "few_rows": Code(
        _N, "few rows", "50 or more good rows teach more than how these are worded", True
    ),
    "one_answer": Code(
        _N, "one answer stands in many rows", "the model may give it everywhere; vary it", True
    ),
    "mixed_formats": Code(
        _N, "rows of another format were read by their own rules", "nothing to do", True
    ),
    "keys_not_used": Code(
        _N, "keys that training does not use", "nothing to do", True
    ),
    "attachments_dropped": Code(
        _W, "pictures and files in messages were left out", "look whether the texts can do without", True
    ),
    "text_not_used": Code(
        _N, "text that holds no question was left out", "look whether an answer is among it", True
    ),
    "file_not_used": Code(
        _N, "files that hold no conversation were left out", "nothing to do if they are no data", True
    ),
    "near_repeats_sampled": Code(
        _N, "near repeats were looked for in the first rows only", "nothing to do", True
    ),
    "system_folded": Code(
        _N,
        "the model's template has no system role: its text goes before the first user turn",
        "nothing to do; it is done the same way when the model is asked",
        True,
    ),
}  # fmt: skip
"""Every code this floor can give."""


def finding(
    code: str, line: int | None = None, row: int | None = None, detail: str | None = None
) -> Finding:
    """A finding with the table's words; `detail` adds facts (never row text)."""
    return found(Problem(code, detail), line, row)


def found(
    problem: Problem, line: int | None = None, row: int | None = None, of: int | None = None
) -> Finding:
    """A problem with the table's words, at its place."""
    entry = CODES[problem.code]
    detail = problem.detail
    return Finding(
        code=entry.shown_as or problem.code,
        severity=entry.severity,
        message=f"{entry.message} ({detail})" if detail else entry.message,
        advice=entry.advice,
        line=None if entry.per_file else line,
        row=None if entry.per_file else row,
        of=of,
        repair=problem.repair,
    )


class Findings:
    """Everything found in one file, in bounded memory: the first of each code, and all counts."""

    def __init__(self) -> None:
        """Nothing was found yet."""
        self.counts: dict[str, int] = defaultdict(int)
        self._kept: list[Finding] = []

    def add(
        self, problem: Problem, line: int | None = None, row: int | None = None,
        of: int | None = None,
    ) -> None:  # fmt: skip
        """Count a problem, and keep it while there are not too many of its kind."""
        self.counts[problem.code] += 1
        limit = 1 if CODES[problem.code].per_file else KEPT
        if self.counts[problem.code] <= limit:
            self._kept.append(found(problem, line, row, of))

    def sorted(self) -> tuple[Finding, ...]:
        """The kept ones in the file's order, what concerns the whole file first."""
        return tuple(sorted(self._kept, key=lambda f: f.line or f.row or 0))
