"""Which tokens are trained on: the assistant's, up to and with the token that ends its turn.

Works with any chat template: a document is tokenised once, and the tokens of the answers are those
inside their character spans (`rendering.py`).
"""

import gc
from array import array
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final, NamedTuple

from podtune.core.dataset import Conversation, Finding
from podtune.data.findings import finding
from podtune.data.rendering import Renderer, Text
from podtune.data.template import TemplateRefusedError, TokenizerFolder

IGNORED: Final = -100
"""The label of a token that no loss is taken on (PyTorch's cross_entropy ignores it)."""


BATCH: Final = 1000
"""Documents tokenised together."""


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
    """All examples and what kept others out."""

    examples: tuple[Example, ...]
    findings: tuple[Finding, ...]


def encode(
    conversations: Iterable[Conversation],
    folder: TokenizerFolder,
    *,
    system_prompt: str | None = None,
    max_length: int | None = None,
) -> Encoded:
    """Tokenise conversations and label them.

    Args:
        conversations: Canonical rows.
        folder: The base model's tokenizer and template.
        system_prompt: Put before rows without a system message.
        max_length: Rows with more tokens become a `too_long` finding; never cut.

    Every example returned has a trained token, and each answer's last trained token is a stop
    token of the model; a row where that cannot be had becomes a finding.
    """
    work = _Work([], [], Renderer(folder, system_prompt), folder, max_length)
    rows = iter(conversations)
    with _no_search_for_cycles():
        while batch := list(islice(rows, BATCH)):
            _encode_batch(batch, work)
    return Encoded(tuple(work.examples), tuple(work.findings))


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


class _Work(NamedTuple):
    """What one run over a data set gathers, and what it needs."""

    examples: list[Example]
    findings: list[Finding]
    renderer: Renderer
    folder: TokenizerFolder
    max_length: int | None


def _encode_batch(rows: Sequence[Conversation], work: _Work) -> None:
    """Render some rows, tokenise them together, label each."""
    rendered: list[tuple[Conversation, list[Text]]] = []
    for row in rows:
        try:
            documents = work.renderer.documents(row)
            if _loses_calls(row, documents):
                work.findings.append(finding("tool_calls_lost", row.line, row.row or None))
            else:
                rendered.append((row, documents))
        except TemplateRefusedError as error:
            words = error.message.removeprefix("the chat template refused: ")[:120]
            work.findings.append(finding("template_refused", row.line, row.row or None, words))
    texts = [text.text for _, documents in rendered for text in documents]
    encodings = iter(work.folder.tokenizer.encode_batch(texts, add_special_tokens=False))
    for row, documents in rendered:
        pairs = [(text, next(encodings)) for text in documents]
        made: list[Example] = []
        problem = None
        for text, encoding in pairs:
            problem = problem or _example(text, encoding, row, work, made)
        if problem is None:
            work.examples.extend(made)
        else:
            work.findings.append(problem)


def _loses_calls(row: Conversation, documents: Sequence[Text]) -> bool:
    """Whether a call of the row is not in its text: an empty answer would be learnt instead."""
    names = {call["function"]["name"] for m in row.messages for call in m.tool_calls}
    return bool(names) and not all(name in documents[-1].text for name in names)


def _example(
    text: Text, encoding: Any, row: Conversation, work: _Work, made: list[Example]
) -> Finding | None:
    """Label one document; a finding where it cannot be trained on as it is."""
    ids: list[int] = encoding.ids
    labels = _labels(ids, encoding, text.spans, work.folder.stop_ids)
    if labels is None:
        return finding("stop_token_untrained", row.line, row.row or None)
    limit = work.max_length
    if limit is not None and len(ids) > limit:
        return finding("too_long", row.line, row.row or None, f"{len(ids)} tokens, limit {limit}")
    example = Example(array("i", ids), array("i", labels), row.line)
    if not example.trained:
        return finding("zero_mask", row.line, row.row or None)
    made.append(example)
    return None


def _labels(
    ids: Sequence[int], encoding: Any, spans: Sequence[tuple[int, int]], stop_ids: frozenset[int]
) -> list[int] | None:
    """Labels for the spans, each cut after its last stop token; None where a span has none."""
    labels = [IGNORED] * len(ids)
    for start, end in spans:
        first, last = _inside(encoding, start, end)
        stop = next((i for i in range(last, first - 1, -1) if ids[i] in stop_ids), None)
        if stop is None:
            return None
        labels[first : stop + 1] = ids[first : stop + 1]
    return labels


def _inside(encoding: Any, start: int, end: int) -> tuple[int, int]:
    """First and last token that lie wholly inside a span of characters.

    The last is before the first where there is none. Some tokenizers trim offsets: a token of
    blanks then has no width, but still belongs where it stands.
    """
    first = encoding.char_to_token(start) if end > start else None
    last = encoding.char_to_token(end - 1) if end > start else None
    if first is not None and last is not None:
        first += encoding.token_to_chars(first)[0] < start
        last -= encoding.token_to_chars(last)[1] > end
        return first, last
    offsets: list[tuple[int, int]] = encoding.offsets
    found = [i for i, (left, right) in enumerate(offsets) if start <= left and start < right <= end]
    return (found[0], found[-1]) if found else (0, -1)
