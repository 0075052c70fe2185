"""The words of a request that a field was read from, as they may be shown and kept: secrets masked, on one line.

Takes the request as it was typed and the parser's places in it.
"""

import re
from collections.abc import Mapping
from typing import Final

from podtune.core.redact import scrub
from podtune.intake.words.normalise import normalise
from podtune.intake.words.parse import ParsedRequest, Span
from podtune.intake.words.secrets import MASK, mask

LONGEST: Final = 80
"""Characters of a quote. Chosen: it stands in a table."""

_QUERY: Final = re.compile(r"(?<=\w)([?;#])\S{1,2000}")
_USER: Final = re.compile(r"://[^/@\s]{1,300}@")


def quotes(parsed: ParsedRequest, text: str) -> Mapping[str, str]:
    """Field -> the words it was read from; nothing where a secret cannot be told from the rest."""
    masked, found = mask(text)
    if "secret_in_request" in parsed.flags and not found:
        return {}  # it is hidden between characters that nobody sees
    shown = {field: _shown(masked, span) for field, span in parsed.spans.items()}
    return {field: words for field, words in shown.items() if words}


def one_line(words: str) -> str:
    """Words on one line, without hidden signs, keys and the queries of addresses, and not too long."""
    plain = " ".join(normalise(words.replace(MASK, "\u2022")).text.split())
    plain = re.sub("\u2022+", "***", plain)
    if "://" in plain:
        plain = _QUERY.sub("", _USER.sub("://", plain))
    plain = scrub(plain)
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 3].rstrip()}..."


def _shown(masked: str, span: Span) -> str:
    return one_line(masked[span.start : min(span.end, span.start + 2000)])
