"""Which tokens are trained on: the assistant's, up to and with the token that ends its turn.

Works with any chat template: a document is tokenised once, and the tokens of the answers are those
inside their character spans (`rendering.py`).
"""

import gc
from array import array
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from podtune.core.dataset import Conversation, Finding, Severity
from podtune.data.findings import CODES, Findings, finding
from podtune.data.labels import IGNORED, Labelled, Labeller, unlabelled
from podtune.data.left_out import left_out
from podtune.data.record import Problem
from podtune.data.rendering import Renderer, Text
from podtune.data.template import TemplateRefusedError, TokenizerFolder

BATCH: Final = 1000
"""Documents tokenised together."""

LongRows = Literal["refuse", "shorten"]
"""What becomes of rows that are longer than `max_length`."""


class Example(NamedTuple):
    """Token ids and labels of one document, equal in length."""

    input_ids: Sequence[int]
    labels: Sequence[int]
    line: int

    @property
    def trained(self) -> int:
        """How many tokens carry a loss (the first has no prediction and never does)."""
        first = self.labels[0] != IGNORED if self.labels else 0
        return len(self.labels) - self.labels.count(IGNORED) - first


class Encoded(NamedTuple):
    """All examples, what kept others out, and what was done to rows that are in."""

    examples: tuple[Example, ...]
    findings: tuple[Finding, ...]
    """One for each row that is left out."""
    notes: tuple[Finding, ...] = ()
    """Of rows that are in: shortened, closed with a stop token. The first of each code."""
    counts: Mapping[str, int] = MappingProxyType({})
    """Code of a note -> how many rows it concerns."""
    tokens_left_out: int = 0
    """Tokens that shortened rows lost."""


def encode(
    conversations: Iterable[Conversation],
    folder: TokenizerFolder,
    *,
    system_prompt: str | None = None,
    max_length: int | None = None,
    long_rows: LongRows = "refuse",
) -> Encoded:
    """Tokenise conversations and label them.

    Args:
        conversations: Canonical rows.
        folder: The base model's tokenizer and template.
        system_prompt: Put before rows without a system message.
        max_length: The most tokens of an example.
        long_rows: `refuse`: a longer row becomes a `too_long` finding. `shorten`: it ends with its
            last answer that fits, and a `shortened` note says so; without such an answer it is
            `too_long` all the same.

    Every example returned has a trained token, and each answer's last trained token is a stop
    token of the model; a row where that cannot be had becomes a finding. Nothing is cut elsewhere.
    """
    limit = _Limit(max_length, long_rows == "shorten")
    work = _Work(folder, system_prompt, limit)
    rows = iter(conversations)
    with _no_search_for_cycles():
        while batch := list(islice(rows, BATCH)):
            _encode_batch(batch, work)
    return work.done()


def labelled(
    row: Conversation, folder: TokenizerFolder, system_prompt: str | None = None
) -> list[tuple[str, Labelled]]:
    """Texts and labelled tokens of one row, as `encode` makes them of any length.

    Nothing is labelled where the row has no stop token to learn.

    Raises:
        TemplateRefusedError: the template refuses the row.
    """
    work = _Work(folder, system_prompt, _Limit(None, False))
    found = [(text, work.tokenised(text)) for text in work.renderer.documents(row)]
    made = _labels(row, found, work)
    if made is None:
        return [(text.text, unlabelled(encoding)) for text, encoding in found]
    return [(text.text, d) for text, d in zip(made.texts, made.documents, strict=True)]


def folded(
    conversations: Iterable[Conversation], folder: TokenizerFolder, system_prompt: str | None = None
) -> int:
    """Rows whose system text goes before the first user turn, for lack of a system role."""
    if folder.template.takes_system:
        return 0
    return sum(bool(system_prompt) or c.messages[0].role == "system" for c in conversations)


@contextmanager
def _no_search_for_cycles() -> Generator[None]:
    """Nothing here makes reference cycles; looking for them took a quarter of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Limit(NamedTuple):
    """How long an example may be."""

    tokens: int | None
    shorten: bool

    def cut(self, document: Labelled) -> int:
        """How many tokens of a document are kept; 0 where it is left out."""
        if self.tokens is None or len(document.ids) <= self.tokens:
            return len(document.ids)
        if not self.shorten:
            return 0
        return max((end for end in document.ends if end <= self.tokens), default=0)


class _Work:
    """What one run over a data set gathers, and what it needs."""

    def __init__(self, folder: TokenizerFolder, system_prompt: str | None, limit: _Limit) -> None:
        self.folder = folder
        self.system_prompt = system_prompt
        self.limit = limit
        self.renderer = Renderer(folder, system_prompt)
        self.labeller = Labeller(folder)
        self.examples: list[Example] = []
        self.findings: list[Finding] = []
        self.notes = Findings()
        self.tokens_left_out = 0

    def tokenised(self, text: Text) -> Any:
        return self.folder.tokenizer.encode(text.text, add_special_tokens=False)

    def refuse(self, code: str, row: Conversation, detail: str | None = None) -> None:
        self.findings.append(finding(code, row.line, row.row or None, detail))

    def refuse_template(self, error: TemplateRefusedError, row: Conversation) -> None:
        words = error.message.removeprefix("the chat template refused: ")[:120]
        self.refuse("template_refused", row, words)

    def note(self, code: str, row: Conversation, detail: str | None = None) -> None:
        self.notes.add(Problem(code, detail), row.line, row.row or None)

    def done(self) -> Encoded:
        return Encoded(
            tuple(self.examples),
            tuple(self.findings),
            self.notes.sorted(),
            dict(self.notes.counts),
            self.tokens_left_out,
        )


def _encode_batch(rows: Sequence[Conversation], work: _Work) -> None:
    """Render some rows, tokenise them together, label each."""
    rendered: list[_Rendered] = []
    for row in rows:
        try:
            documents = work.renderer.documents(row)
            lost = left_out(row, documents, work.folder, work.system_prompt)
        except TemplateRefusedError as error:
            work.refuse_template(error, row)
            continue
        if lost is not None and CODES[lost].severity is Severity.ERROR:
            work.refuse(lost, row)
            continue
        rendered.append(_Rendered(row, documents, () if lost is None else (lost,)))
    texts = [text.text for each in rendered for text in each.documents]
    encodings = iter(work.folder.tokenizer.encode_batch(texts, add_special_tokens=False))
    for row, documents, notes in rendered:
        try:
            tokenised = [(text, next(encodings)) for text in documents]
            _take(row, _labels(row, tokenised, work), notes, work)
        except TemplateRefusedError as error:
            work.refuse_template(error, row)


class _Rendered(NamedTuple):
    row: Conversation
    documents: list[Text]
    notes: tuple[str, ...]


class _Labels(NamedTuple):
    """The labelled documents of a row, and what was done for them."""

    documents: list[Labelled]
    texts: list[Text]
    notes: tuple[str, ...] = ()


def _take(row: Conversation, made: _Labels | None, notes: Sequence[str], work: _Work) -> None:
    """The examples of one row, or the finding that keeps it out."""
    if made is None:
        work.refuse("stop_token_untrained", row)
        return
    kept = [work.limit.cut(document) for document in made.documents]
    lengths = [len(document.ids) for document in made.documents]
    if not all(kept) and not (work.limit.shorten and any(kept)):
        work.refuse("too_long", row, f"{max(lengths)} tokens, limit {work.limit.tokens}")
        return
    examples = [
        Example(array("i", document.ids[:length]), array("i", document.labels[:length]), row.line)
        for document, length in zip(made.documents, kept, strict=True)
        if length
    ]
    if not examples or not all(example.trained for example in examples):
        work.refuse("zero_mask", row)
        return
    work.examples.extend(examples)
    for code in (*notes, *made.notes):
        work.note(code, row)
    if gone := sum(lengths) - sum(kept):
        work.tokens_left_out += gone
        work.note("shortened", row, f"{gone} of {sum(lengths)} tokens left out")


def _labels(row: Conversation, found: Sequence[tuple[Text, Any]], work: _Work) -> _Labels | None:
    """The row's labelled documents; None where a stop token cannot be had."""
    documents: list[Labelled] = []
    for text, encoding in found:
        document = work.labeller.label(encoding, text.spans, text.closings)
        if document is None:
            return _closed(row, found, work)
        documents.append(document)
    texts = [text for text, _ in found]
    return _Labels(documents, texts, _asked_with_more(texts))


def _closed(row: Conversation, found: Sequence[tuple[Text, Any]], work: _Work) -> _Labels | None:
    """The same for a template that writes no stop token behind an answer: it is given one.

    Where the next turn does not begin with one either, the row becomes one document for each
    answer, which ends there: so the model sees at inference what it has learnt.
    """
    made = _close(row, found, work)
    if made is None and not all(text.is_one_answer for text, _ in found):
        each = work.renderer.one_each(row)
        made = _close(row, [(text, work.tokenised(text)) for text in each], work)
    return made


def _close(row: Conversation, found: Sequence[tuple[Text, Any]], work: _Work) -> _Labels | None:
    documents: list[Labelled] = []
    for text, encoding in found:
        document = work.labeller.close(encoding, text.spans, _end_id(row, text, work))
        if document is None:
            return None
        documents.append(document)
    texts = [text for text, _ in found]
    return _Labels(documents, texts, (*_asked_with_more(texts), "stop_token_added"))


def _asked_with_more(texts: Sequence[Text]) -> tuple[str, ...]:
    return () if all(text.grew for text in texts) else ("asked_with_more",)


def _end_id(row: Conversation, text: Text, work: _Work) -> int | None:
    """What ends a document: the stop token the next turn would begin with, else the model's own."""
    following = work.renderer.next_turn(row, text.turns)
    ids = work.folder.tokenizer.encode(following, add_special_tokens=False).ids
    return ids[0] if ids and ids[0] in work.folder.stop_ids else work.folder.end_id
