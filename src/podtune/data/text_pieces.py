"""Plain texts -> pieces of at most a row's tokens, all of them trained on.

A text is tokenised whole, with the token that the tokenizer itself puts before a text, and closed
with the end token. A longer one is cut into pieces: nothing is lost, nothing repeated; a piece
begins without a beginning token, since it is no beginning.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from typing import Final

from podtune.core.dataset import Conversation, Finding
from podtune.core.errors import SpecError
from podtune.data.findings import Findings, finding
from podtune.data.masks import Encoded, Example
from podtune.data.record import Problem
from podtune.data.template import TokenizerFolder

BATCH: Final = 64
"""Texts tokenised together; they may be long."""

SHORTEST_PIECE: Final = 256
LONGEST_PIECE: Final = 2048
"""Bounds of the pieces' length where nobody says it; rows of 2,048 tokens fill any device."""

PIECES: Final = 64
"""Pieces that a corpus should give, so that there are steps enough to learn from it."""

FEWEST: Final = 2
"""Tokens of the shortest piece: the first of a row has no prediction."""


def encode_texts(
    texts: Iterable[Conversation], folder: TokenizerFolder, *, max_length: int | None = None
) -> Encoded:
    """Tokenise plain texts; every token is trained on but the first of each piece.

    Args:
        texts: Canonical rows of plain text; one that continues gets no end token.
        folder: The base model's tokenizer; its chat template is not needed.
        max_length: Tokens of a piece, at least 3; None leaves texts whole.

    A row that is no plain text becomes a `not_plain_text` finding, one of a single token
    `zero_mask`; a text that was divided has a `text_divided` note.

    Raises:
        SpecError: the tokenizer has no end token.
    """
    if folder.end_id is None:
        raise SpecError(
            f"the tokenizer in {str(folder.folder)!r} has no token that ends a text",
            code="no_end_token",
            hint="use a base model whose tokenizer_config.json names its eos_token",
        )
    examples: list[Example] = []
    findings: list[Finding] = []
    notes = Findings()
    rows = iter(texts)
    while batch := list(islice(rows, BATCH)):
        whole = [row for row in batch if row.is_text]
        findings.extend(_found("not_plain_text", row) for row in batch if not row.is_text)
        contents = [row.messages[0].text for row in whole]
        encodings = folder.tokenizer.encode_batch(contents, add_special_tokens=True)
        for row, encoding in zip(whole, encodings, strict=True):
            ids: list[int] = encoding.ids
            if not row.continues and ids[-1:] != [folder.end_id]:
                ids = [*ids, folder.end_id]
            if len(ids) < FEWEST:
                findings.append(_found("zero_mask", row))
                continue
            made = [Example(piece, piece, row.line) for piece in _pieces(ids, max_length)]
            if len(made) > 1:
                notes.add(Problem("text_divided"), row.line, row.row or None)
            examples.extend(made)
    return Encoded(tuple(examples), tuple(findings), notes.sorted(), dict(notes.counts))


def piece_length(tokens: int, most: int) -> int:
    """Tokens of a piece where nobody says it: a power of two that gives `PIECES` or more.

    Args:
        tokens: Of all texts, about.
        most: What the base model can attend over.

    >>> piece_length(1_000_000, 8192), piece_length(40_000, 8192), piece_length(10, 8192)
    (2048, 512, 256)
    """
    fitting = 1 << max(0, (tokens // PIECES).bit_length() - 1)
    return min(most, max(SHORTEST_PIECE, min(LONGEST_PIECE, fitting)))


def _found(code: str, row: Conversation) -> Finding:
    return finding(code, row.line, row.row or None)


def _pieces(ids: Sequence[int], most: int | None) -> Iterator[Sequence[int]]:
    """Full pieces and a rest of at least two tokens."""
    whole = array("i", ids)
    cuts = [*range(0, len(whole), most or len(whole)), len(whole)]
    if len(cuts) > FEWEST and cuts[-1] - cuts[-2] < FEWEST:
        cuts[-2] -= 1
    for start, end in pairwise(cuts):
        yield whole[start:end]
