# ruff: noqa: RUF001 - signs of other scripts are what is read here
"""Text as people and pages spell it -> text the grammar reads, with the way back to what was typed.

Compatibility forms (full-width digits, exponents written small, curly quotes) become plain ones; hidden
and direction-turning characters are dropped and told of. Knows nothing of meanings.
"""

import unicodedata
from typing import Final, NamedTuple

from podtune.intake.words.patterns import Pattern

MAX_CHARACTERS: Final = 20_000
"""Longest request. Chosen: some ten pages; whoever has more to say has a spec file."""

_SUPERSCRIPTS: Final = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+", strict=True))
_SPELLED: Final = {
    "“": '"', "”": '"', "„": '"', "‟": '"', "«": '"', "»": '"', "「": '"', "」": '"', "『": '"',
    "』": '"', "‘": "'", "’": "'", "‚": "'", "‛": "'", "′": "'", "–": "-", "‐": "-", "‑": "-",
    "‒": "-", "−": "-", "—": ";", "―": ";", "。": ". ", "、": ",", "×": "x", "✕": "x", "⁄": "/",
    "≤": "<=", "≈": "~", "∼": "~", "½": " 1/2", "¼": " 1/4", "¾": " 3/4", "·": ".",
    "，": ",", "．": ".", "；": ";", "（": "(", "）": ")", "【": "(", "】": ")",
}  # fmt: skip
"""Signs that NFKC leaves alone or spells in a way that would be read wrongly."""

_JOINERS: Final = frozenset("\u200d\ufe0f\ufe0e")
"""Glue inside emoji; after one they are no disguise."""

_BLANKS: Final = frozenset("\t\n\r")
_CLUSTER: Final = Pattern(r"[^\u0300-\u036f][\u0300-\u036f]{0,8}|[\u0300-\u036f]")
_WORD: Final = Pattern(r"[^\W\d_]{2,60}")
_LATIN: Final = Pattern(r"[A-Za-z]")
_LOOKALIKE: Final = Pattern(r"[\u0370-\u03ff\u0400-\u052f\u0531-\u058f\u13a0-\u13ff]")


class Normalised(NamedTuple):
    """Text to read, and where each of its characters stood."""

    text: str
    origins: tuple[int, ...] | None
    """Index into the request for each character, and its length at the end; None where the same."""
    is_suspicious: bool
    """Hidden characters were dropped, or letters of two scripts stand in one word."""

    def origin(self, index: int) -> int:
        """Where a character of `text` stood in the request."""
        return index if self.origins is None else self.origins[index]


def normalise(request: str) -> Normalised:
    """Plain text to read. Linear in the length."""
    if request.isascii() and request.isprintable():
        return Normalised(request, None, is_suspicious=False)
    made: list[str] = []
    origins: list[int] = []
    is_suspicious, previous = False, ""
    for match in _CLUSTER.finditer(request):
        cluster = match[0]
        if _is_hidden(cluster):
            is_suspicious |= not (cluster in _JOINERS and _is_picture(previous))
            continue
        plain = _plain(cluster, after_exponent=previous in _SUPERSCRIPTS)
        made.append(plain)
        origins.extend([match.start()] * len(plain))
        previous = cluster
    origins.append(len(request))
    text = "".join(made)
    return Normalised(text, tuple(origins), is_suspicious or _mixes_scripts(text))


def fold(text: str) -> str:
    """Small letters without accents, of the very same length."""
    if text.isascii():
        return text.lower()
    return "".join(map(_folded, text))


def _is_hidden(cluster: str) -> bool:
    if cluster in _BLANKS:
        return False
    return cluster in _JOINERS or unicodedata.category(cluster[0]) in ("Cf", "Cc", "Co", "Cs", "Cn")


def _is_picture(character: str) -> bool:
    return character != "" and unicodedata.category(character[0]) in ("So", "Sk", "Sm")


def _plain(cluster: str, *, after_exponent: bool) -> str:
    """One character, with the marks on it, as the grammar wants it."""
    exponent = _SUPERSCRIPTS.get(cluster)
    if exponent is not None:
        return exponent if after_exponent else f"^{exponent}"
    spelled = _SPELLED.get(cluster)
    if spelled is not None:
        return spelled
    if cluster.isspace():
        return cluster if cluster in _BLANKS else " "
    return unicodedata.normalize("NFKC", cluster)


def _mixes_scripts(text: str) -> bool:
    """Whether a word is Latin to the eye and something else to a machine."""
    return any(
        _LATIN.search(word[0]) is not None and _LOOKALIKE.search(word[0]) is not None
        for word in _WORD.finditer(text)
    )


def _folded(character: str) -> str:
    if character.isascii():
        return character.lower()
    base = unicodedata.normalize("NFD", character)[0]
    small = (base if base.isascii() else character).lower()
    return small if len(small) == 1 else character
