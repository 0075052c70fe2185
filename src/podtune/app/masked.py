"""What exactly is trained on: the tokens of a source's rows under a base model's chat template."""

import itertools
from collections import Counter
from typing import Any, Final

from podtune.app import sources, tokenizers
from podtune.app.settings import Settings
from podtune.core.dataset import Conversation
from podtune.data import reader, reports
from podtune.data.findings import CODES
from podtune.data.labels import IGNORED
from podtune.data.masks import encode, folded, labelled
from podtune.data.record import ReadOptions
from podtune.data.template import TemplateRefusedError, TokenizerFolder
from podtune.intake.defaults import DEFAULT_BASE_MODEL

FIRST_ROWS: Final = (1, 2, 3)
"""What is shown when nobody says which."""

MOST_ROWS: Final = 20_000
"""Rows that are tokenised; of longer files the first."""


def examine(  # noqa: PLR0913 - what `podtune data mask` can be told
    source: str,
    settings: Settings,
    options: ReadOptions,
    *,
    model: str | None = None,
    rows: tuple[int, ...] = FIRST_ROWS,
    max_length: int | None = None,
    system_prompt: str | None = None,
) -> dict[str, Any]:
    """Tokenise a source and mark what is trained on.

    Args:
        source: A path, a pattern, or an address.
        settings: Of this installation.
        options: How it is read.
        model: Base model whose template and tokenizer are used.
        rows: Record numbers that are shown token by token.
        max_length: Tokens beyond which a row does not fit.
        system_prompt: Put before rows without one.

    Returns:
        Counts over all rows, findings by line, and the shown rows as tokens.

    Raises:
        PodtuneError: the source or the model cannot be read.
    """
    kept: list[Conversation] = []

    def take(row: Conversation) -> None:
        if len(kept) < MOST_ROWS:
            kept.append(row)

    with sources.looked_at(source, settings) as path:
        report = reader.inspect(path, options, take).report
    reports.refuse_open_choices(report)
    reports.refuse_bad_rows(report, skip=True)
    folder = tokenizers.bring(model, settings)
    encoded = encode(kept, folder, system_prompt=system_prompt, max_length=max_length)
    counts = Counter(f.code for f in encoded.findings) + Counter(encoded.counts)
    return {
        "source": sources.stored(source),
        "model": model or DEFAULT_BASE_MODEL,
        "takes_system": folder.template.takes_system,
        "rows": len(kept),
        "rows_left": max(0, report.good_rows - len(kept)),
        "examples": len(encoded.examples),
        "tokens": sum(len(e.input_ids) for e in encoded.examples),
        "trained": sum(e.trained for e in encoded.examples),
        "longest": max((len(e.input_ids) for e in encoded.examples), default=0),
        "folded": folded(kept, folder, system_prompt),
        "findings": [
            {"code": f.code, "line": f.line, "message": f.message, "advice": f.advice}
            for f in encoded.findings
        ],
        "kinds": [
            {"code": code, "rows": n, "message": CODES[code].message, "advice": CODES[code].advice}
            for code, n in counts.items()
        ],
        "missing": sorted(set(rows) - {row.row for row in kept}) if rows != FIRST_ROWS else [],
        "shown": [
            _shown(row, folder, system_prompt, max_length) for row in kept if row.row in rows
        ],
    }


def _shown(
    row: Conversation, folder: TokenizerFolder, system_prompt: str | None, max_length: int | None
) -> dict[str, Any]:
    """A row's documents as tokens with their text, and whether each is trained on."""
    value: dict[str, Any] = {"line": row.line, "row": row.row, "documents": []}
    encoded = encode([row], folder, system_prompt=system_prompt)
    problem = encoded.findings[0] if encoded.findings else None
    value["problem"] = problem.message if problem else None
    try:
        documents = labelled(row, folder, system_prompt)
    except TemplateRefusedError:
        return value
    for text, tokens in documents:
        # a stop token that was added has no place in the text
        beyond = [(len(text), len(text))] * (len(tokens.ids) - len(tokens.encoding.ids))
        offsets = [*tokens.encoding.offsets, *beyond]
        ends = [0, *itertools.accumulate((right for _, right in offsets), max)]
        value["documents"].append(
            {
                "tokens": [
                    # tokens of one character share its place: the first of them shows it
                    {
                        "text": text[max(left, end) : right] or _added(folder, token, left, text),
                        "id": token,
                        "trained": problem is None and label != IGNORED,
                    }
                    for token, (left, right), label, end in zip(
                        tokens.ids, offsets, tokens.labels, ends, strict=False
                    )
                ],
                "cut": max_length if max_length and len(tokens.ids) > max_length else None,
            }
        )
    return value


def _added(folder: TokenizerFolder, token: int, place: int, text: str) -> str:
    """What an added token is called; nothing of one that shares its place with another."""
    return (folder.tokenizer.id_to_token(token) or "") if place == len(text) else ""
