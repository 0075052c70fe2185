"""Answers that are weighed: pairs of a better and a worse one, and answers rated good or bad.

Both sides of a pair are rendered by the base model's template as any conversation is (`masks.py`);
only what follows the prompt is trained on. Knows nothing of losses.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import NamedTuple

from podtune.core.dataset import Conversation, Finding, Message
from podtune.data.findings import finding
from podtune.data.masks import Example, encode
from podtune.data.template import TokenizerFolder


class Pair(NamedTuple):
    """Two documents with the same prompt; the prompt's labels are -100 in both."""

    chosen: Example
    rejected: Example
    line: int


class Rated(NamedTuple):
    """A document whose last answer was rated; the prompt's labels are -100."""

    example: Example
    good: bool
    line: int


class EncodedPairs(NamedTuple):
    """All pairs in the rows' order, what kept others out, and what was done to those in."""

    pairs: tuple[Pair, ...]
    findings: tuple[Finding, ...]
    """One for each row that is left out."""
    notes: tuple[Finding, ...] = ()
    """Of rows that are in, such as answers closed with a stop token; the first of each code."""
    counts: Mapping[str, int] = MappingProxyType({})
    """Code of a note -> how many answers it concerns."""


class EncodedRated(NamedTuple):
    """All rated answers in the rows' order, what kept others out, and what was done to them."""

    rated: tuple[Rated, ...]
    findings: tuple[Finding, ...]
    """One for each row that is left out."""
    notes: tuple[Finding, ...] = ()
    """As in `EncodedPairs`."""
    counts: Mapping[str, int] = MappingProxyType({})


def encode_pairs(
    conversations: Sequence[Conversation],
    folder: TokenizerFolder,
    *,
    system_prompt: str | None = None,
    max_length: int | None = None,
) -> EncodedPairs:
    """Tokenise preference pairs and label what follows the prompt.

    Args:
        conversations: Canonical rows with a worse answer.
        folder: The base model's tokenizer and template.
        system_prompt: Put before rows without a system message.
        max_length: Tokens of a row, which holds both documents of a pair; longer pairs become a
            `too_long` finding.

    A row without a worse answer becomes a `no_pair` finding; one whose sides are the same once
    they are rendered `chosen_equals_rejected`; what `masks.encode` finds in a side, its finding.
    """
    pairs: list[Pair] = []
    findings: list[Finding] = []
    tokenised = _Tokenised(conversations, folder, system_prompt)
    for row, documents in tokenised.rows():
        if isinstance(documents, Finding):
            findings.append(documents)
            continue
        problem = _unfit_pair(documents, row, max_length)
        if problem is None:
            pairs.append(Pair(documents[0], documents[1], row.line))
        else:
            findings.append(problem)
    return EncodedPairs(tuple(pairs), tuple(findings), tokenised.notes, tokenised.counts)


def encode_rated(
    conversations: Sequence[Conversation],
    folder: TokenizerFolder,
    *,
    system_prompt: str | None = None,
    max_length: int | None = None,
) -> EncodedRated:
    """Tokenise rated answers; a preference pair gives two, a good one and a bad one.

    Args:
        conversations: Canonical rows with a rating, or with a worse answer.
        folder: The base model's tokenizer and template.
        system_prompt: Put before rows without a system message.
        max_length: Tokens of a document; a row with a longer one becomes a `too_long` finding.

    A row with neither becomes a `not_rated` finding; what `masks.encode` finds, its finding.
    """
    rated: list[Rated] = []
    findings: list[Finding] = []
    tokenised = _Tokenised(conversations, folder, system_prompt)
    for row, documents in tokenised.rows():
        if isinstance(documents, Finding):
            findings.append(documents)
            continue
        problem = _unfit_rating(documents, row, max_length)
        if problem is None:
            goods = (True, False) if row.rejected else (bool(row.label),)
            rated += [Rated(d, good, row.line) for d, good in zip(documents, goods, strict=True)]
        else:
            findings.append(problem)
    return EncodedRated(tuple(rated), tuple(findings), tokenised.notes, tokenised.counts)


def _unfit_pair(
    documents: Sequence[Example], row: Conversation, max_length: int | None
) -> Finding | None:
    """What keeps a row from being a pair that fits a training row."""
    if len(documents) != 2:
        return _found("no_pair", row)
    chosen, rejected = documents
    if list(chosen.input_ids) == list(rejected.input_ids):
        return _found("chosen_equals_rejected", row, "once they are rendered")
    length = len(chosen.input_ids) + len(rejected.input_ids)
    if max_length is not None and length > max_length:
        words = f"{length} tokens in both answers with their prompt, limit {max_length}"
        return _found("too_long", row, words)
    return None


def _unfit_rating(
    documents: Sequence[Example], row: Conversation, max_length: int | None
) -> Finding | None:
    """What keeps a row from being trained on as rated answers."""
    if row.label is None and not row.rejected:
        return _found("not_rated", row)
    longest = max(len(d.input_ids) for d in documents)
    if max_length is not None and longest > max_length:
        return _found("too_long", row, f"{longest} tokens, limit {max_length}")
    return None


def _found(code: str, row: Conversation, detail: str | None = None) -> Finding:
    return finding(code, row.line, row.row or None, detail)


class _Tokenised:
    """The sides of all rows, tokenised together."""

    def __init__(
        self, rows: Sequence[Conversation], folder: TokenizerFolder, system_prompt: str | None
    ) -> None:
        self._given = rows
        self._sides = [_sides(row) for row in rows]
        owners = [row for row, own in zip(rows, self._sides, strict=True) for _ in own]
        # lines stand in for the sides' numbers: rows of one line have the same
        flat = (side for own in self._sides for side in own)
        numbered = [side._replace(line=number) for number, side in enumerate(flat)]
        encoded = encode(numbered, folder, system_prompt=system_prompt)
        # where a template gives a document for every answer, the one of the last answer wins
        self._found: dict[int, Example | Finding] = {e.line: e for e in encoded.examples}
        self._found |= {problem.line or 0: problem for problem in encoded.findings}
        placed = (n if n.line is None else _at(n, owners[n.line]) for n in encoded.notes)
        self.notes = tuple(dict.fromkeys(placed))
        self.counts = encoded.counts

    def rows(self) -> Iterator[tuple[Conversation, Sequence[Example] | Finding]]:
        """Each row with the documents of its sides, or with what is wrong with one of them."""
        found = (self._found[number] for number in range(len(self._found)))
        for row, own in zip(self._given, self._sides, strict=True):
            documents: list[Example] = []
            problem = None
            for document in islice(found, len(own)):
                if isinstance(document, Example):
                    documents.append(document._replace(line=row.line))
                else:
                    problem = problem or _at(document, row)
            yield row, problem or documents


def _at(problem: Finding, row: Conversation) -> Finding:
    return problem.model_copy(update={"line": row.line, "row": row.row or None})


def _sides(row: Conversation) -> list[Conversation]:
    """A row's answers as conversations of their own, with earlier answers as context only."""
    prompt = tuple(_as_context(m) for m in row.messages[: row.prompt_turns])
    answers = [row.messages[row.prompt_turns :]]
    if row.rejected:
        answers.append(row.rejected)
    return [row._replace(messages=(*prompt, *answer), rejected=()) for answer in answers]


def _as_context(message: Message) -> Message:
    return message._replace(weight=0) if message.role == "assistant" else message
