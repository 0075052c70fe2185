"""Columns of a table that are named as question and answer."""

import re
from collections.abc import Sequence
from typing import Final

from podtune.intake.words.candidates import Candidate
from podtune.intake.words.document import Document
from podtune.intake.words.patterns import Pattern
from podtune.intake.words.sources import Role, Use

_WORD: Final = r"[a-z_][a-z0-9_]{0,40}"
_PAIR: Final = Pattern(
    rf"\b(?:columns?|spalten?|colonnes?|columnas|colonne|colunas|fields)(?: (?:are|named|called|is|:|heissen|sont|son|sono|sao|with|namens))*[ :=]{{1,3}}(?P<one>{_WORD})(?: ?(?:,|/|->|=>) ?| (?:and|und|et|y|e|to|for) )(?P<two>{_WORD})\b"
)
_ROLES: Final = (
    ("dataset_prompt_column", r"(?:prompt|question|input|user|instruction|frage|pregunta|domanda|pergunta)"),
    ("dataset_response_column", r"(?:response|answer|output|completion|reply|label|target|assistant|antwort|reponse|respuesta|risposta|resposta)"),
)  # fmt: skip
_AFTER: Final = r"[ _-]?(?:column|spalte|colonne|columna|colonna|coluna)(?: (?:is|called|named|ist|heisst|est|es|e))?[ :=]{1,3}"
_SMALL: Final = frozenset(
    [
        "the",
        "a",
        "an",
        "is",
        "are",
        "and",
        "or",
        "of",
        "to",
        "for",
        "named",
        "called",
        "in",
        "on",
        "with",
        "my",
        "our",
    ]
)


def read(document: Document, used: Sequence[Use]) -> list[Candidate]:
    """Prompt and response columns, where they are named as columns."""
    quoted = [u.literal for u in used if u.role is Role.COLUMN]
    found: list[Candidate] = []
    if len(quoted) == 2:
        for (field, _), literal in zip(_ROLES, quoted, strict=True):
            found.append(Candidate(field, literal.value, literal.start, literal.end))
        return found
    for field, role in _ROLES:
        match = re.search(rf"\b{role}{_AFTER}(?P<name>{_WORD})\b", document.folded)
        if match is not None and match["name"] not in _SMALL:
            start, end = match.span("name")
            found.append(Candidate(field, document.text[start:end], start, end))
        elif len(quoted) == 1 and re.search(
            rf"\b{role}{_AFTER}$", document.folded[: quoted[0].start][-60:]
        ):
            found.append(Candidate(field, quoted[0].value, quoted[0].start, quoted[0].end))
    pair = _PAIR.search(document.folded)
    if pair is not None and not found and not {pair["one"], pair["two"]} & _SMALL:
        for (field, _), group in zip(_ROLES, ("one", "two"), strict=True):
            start, end = pair.span(group)
            found.append(Candidate(field, document.text[start:end], start, end))
    return found
