"""Which tokens are trained on: the assistant's, up to and with the token that ends its turn.

Works with any chat template: the conversation is rendered once and tokenised once; the answers'
character spans come from rendering its prefixes. A template that rewrites history (so that a
prefix is no prefix) gives one example per answer instead, which is also what inference sees.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from podtune.core.dataset import Conversation, Finding
from podtune.data.findings import finding
from podtune.data.template import TemplateRefusedError, TokenizerFolder

IGNORED: Final = -100
"""The label of a token that no loss is taken on (PyTorch's cross_entropy ignores it)."""


class Example(NamedTuple):
    """Token ids and labels of one document, equal in length."""

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    line: int

    @property
    def trained(self) -> int:
        """How many tokens carry a loss (the first has no prediction and never does)."""
        return sum(label != IGNORED for label in self.labels[1:])


class Encoded(NamedTuple):
    """All examples and what kept others out."""

    examples: tuple[Example, ...]
    findings: tuple[Finding, ...]


class _Text(NamedTuple):
    """A rendered document and the character spans of the answers in it."""

    text: str
    spans: tuple[tuple[int, int], ...]


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
    examples: list[Example] = []
    findings: list[Finding] = []
    for conversation in conversations:
        found, problem = _encode_one(conversation, folder, system_prompt, max_length)
        examples.extend(found)
        if problem:
            findings.append(problem)
    return Encoded(tuple(examples), tuple(findings))


def prompt_text(
    conversation: Conversation, folder: TokenizerFolder, system_prompt: str | None = None
) -> str:
    """The conversation up to its last answer, as the model is asked it at inference."""
    messages = _with_system(conversation.as_template_input(), system_prompt)
    last = max(i for i, m in enumerate(messages) if m["role"] == "assistant")
    return folder.template.render(messages[:last], open_answer=True)


def _encode_one(
    conversation: Conversation,
    folder: TokenizerFolder,
    system_prompt: str | None,
    max_length: int | None,
) -> tuple[list[Example], Finding | None]:
    line = conversation.line
    messages = _with_system(conversation.as_template_input(), system_prompt)
    try:
        texts = _texts(messages, folder)
    except TemplateRefusedError as error:
        return [], finding(
            "template_refused",
            line,
            detail=error.message.removeprefix("the chat template refused: ")[:120],
        )
    examples: list[Example] = []
    for text in texts:
        encoding = folder.tokenizer.encode(text.text, add_special_tokens=False)
        ids: list[int] = encoding.ids
        offsets: list[tuple[int, int]] = encoding.offsets
        labels = _labels(ids, offsets, text.spans, folder.stop_ids)
        if labels is None:
            return [], finding("stop_token_untrained", line)
        if max_length is not None and len(ids) > max_length:
            return [], finding("too_long", line, detail=f"{len(ids)} tokens, limit {max_length}")
        example = Example(tuple(ids), tuple(labels), line)
        if not example.trained:
            return [], finding("zero_mask", line)
        examples.append(example)
    return examples, None


def _with_system(messages: list[dict[str, str]], prompt: str | None) -> list[dict[str, str]]:
    if prompt and messages[0]["role"] != "system":
        return [{"role": "system", "content": prompt}, *messages]
    return messages


def _texts(messages: Sequence[dict[str, str]], folder: TokenizerFolder) -> list[_Text]:
    """One document with all answers, or one per answer where the template rewrites history."""
    render = folder.template.render
    answers = [i for i, m in enumerate(messages) if m["role"] == "assistant"]
    full = render(messages)
    spans: list[tuple[int, int]] = []
    for index in answers:
        asked = render(messages[:index], open_answer=True)
        answered = render(messages[: index + 1])
        if not (full.startswith(answered) and answered.startswith(asked)):
            return [_single(messages[: index + 1], folder) for index in answers]
        spans.append((len(asked), len(answered)))
    return [_Text(full, tuple(spans))]


def _single(messages: Sequence[dict[str, str]], folder: TokenizerFolder) -> _Text:
    """A document that trains only its last answer."""
    asked = folder.template.render(messages[:-1], open_answer=True)
    answered = folder.template.render(messages)
    if not answered.startswith(asked):
        # The prompt opened a `<think>` that the finished turn lacks: the answer begins where the
        # two part, or where its own text begins if they share its first letters.
        start = _common_prefix(asked, answered)
        before = len(folder.template.render(messages[:-1]))
        written = answered.find(messages[-1]["content"], min(before, start))
        start = min(start, written) if written >= 0 else start
        return _Text(answered, ((start, len(answered)),))
    return _Text(answered, ((len(asked), len(answered)),))


def _common_prefix(left: str, right: str) -> int:
    """How many characters two texts share from the start (an opened `<think>` that vanishes)."""
    limit = min(len(left), len(right))
    return next((i for i in range(limit) if left[i] != right[i]), limit)


def _labels(
    ids: Sequence[int],
    offsets: Sequence[tuple[int, int]],
    spans: Sequence[tuple[int, int]],
    stop_ids: frozenset[int],
) -> list[int] | None:
    """Labels for the spans, each cut after its last stop token; None where a span has none."""
    labels = [IGNORED] * len(ids)
    for start, end in spans:
        # Some tokenizers trim offsets: a token of blanks has no width but still belongs here.
        inside = [
            i for i, (left, right) in enumerate(offsets) if start <= left and start < right <= end
        ]
        stops = [i for i in inside if ids[i] in stop_ids]
        if not stops:
            return None
        for i in inside:
            if i <= stops[-1]:
                labels[i] = ids[i]
    return labels
