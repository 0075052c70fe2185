"""Repairs by name: what can be mended without guessing, and is mended only with consent."""

import ast
import re
import warnings
from collections.abc import Mapping
from typing import Final, NamedTuple, cast

import msgspec

from podtune.core.errors import SpecError

REPAIRS: Final[Mapping[str, str]] = {
    "trailing-comma": "take a comma off that stands before a closing bracket or at a line's end",
    "single-quotes": "read a Python dictionary ('a': None) as JSON",
    "curly-quotes": "make typographic quotes round names and texts straight",
    "nan-values": "read NaN and Infinity, which JSON lacks, as null",
    "role-names": "take bot, agent, model ... as assistant and customer, client ... as user",
    "tool-arguments": "mend the JSON in the arguments of tool calls",
    "mojibake": "undo a wrong decoding (Ã© to é)",
    "redact-pii": "blot out e-mail addresses, phone, card and account numbers",
    "redact-secrets": "blot out keys and passwords",
    "drop-duplicates": "leave out rows that repeat an earlier one",
    "strip-suffixes": "take off the separator that ends every prompt or answer",
}
"""Name -> what it does."""


class Mended(NamedTuple):
    """JSON that could be mended, and by which repair."""

    value: object
    repair: str


def checked_names(names: frozenset[str]) -> frozenset[str]:
    """The names of repairs as `REPAIRS` spells them.

    Raises:
        SpecError: an unknown one.
    """
    spelled = frozenset(name.strip().lower().replace(" ", "-").replace("_", "-") for name in names)
    unknown = sorted(spelled - set(REPAIRS) - {"all"})
    if unknown:
        raise SpecError(
            f"no repair is named {', '.join(map(repr, unknown))}",
            code="unknown_repair",
            hint=f"--fix all, or one of: {', '.join(REPAIRS)}",
        )
    return spelled


_STRING: Final = rb'"(?:[^"\\]++|\\.)*+"?+'
"""A string, also one that never closes: to look for its end from each of its quotes would take hours."""

_NOT_NUMBER: Final = rb"-?\b(?:NaN|Infinity|nan|inf)\b"
_KEPT: Final = re.compile(rb'(?:[^",]++|' + _STRING + rb"|,(?!\s*+[}\]]))++", re.DOTALL)
"""What stands between trailing commas."""

_NUMBERS: Final = re.compile(
    rb'((?:[^"NnIi-]++|' + _STRING + rb"|(?!" + _NOT_NUMBER + rb")[NnIi-])++)|" + _NOT_NUMBER,
    re.DOTALL,
)
"""What stands between numbers that are none; they themselves give an empty group."""

_PYTHON_LIMIT: Final = 1 << 20
"""Bytes beyond which no Python literal is tried: parsing one takes many times its size."""


def mend_json(raw: bytes) -> Mended | None:
    """A broken JSON value mended by one repair (or a comma and one more); None where none helps.

    Pure syntax: no text of the value is changed.
    """
    stripped = raw.strip()
    cut = b"".join(_KEPT.findall(stripped.rstrip(b", \t\r\n")))
    for repair, candidate in (
        ("trailing-comma", cut),
        ("nan-values", b"".join(kept or b"null" for kept in _NUMBERS.findall(cut))),
        ("curly-quotes", _straight(cut)),
    ):
        if candidate != stripped:
            value = _decoded(candidate)
            if value is not None:
                return Mended(value, repair)
    return _python(stripped)


def _straight(raw: bytes) -> bytes:
    for curly in ("\u201c", "\u201d", "\u201e", "\u201f", "\u00ab", "\u00bb"):
        raw = raw.replace(curly.encode(), b'"')
    return raw


def _decoded(raw: bytes) -> object:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None


def _python(raw: bytes) -> Mended | None:
    if len(raw) > _PYTHON_LIMIT or b"'" not in raw or raw[:1] not in (b"{", b"["):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of backslashes that Python takes as they are
            value: object = ast.literal_eval(raw.decode())
        if b"b'" in raw and _holds_bytes(value):
            return None
        # Only what JSON can hold, and nothing that decoding would change
        return Mended(msgspec.json.decode(msgspec.json.encode(value)), "single-quotes")
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError, msgspec.MsgspecError):
        return None


def _holds_bytes(value: object) -> bool:
    """Whether bytes stand anywhere in a value; JSON would hold them as base64."""
    if isinstance(value, dict):
        fields = cast("dict[object, object]", value)
        return any(_holds_bytes(v) for pair in fields.items() for v in pair)
    if isinstance(value, list | tuple | set):
        return any(_holds_bytes(v) for v in cast("list[object]", value))
    return isinstance(value, bytes)


def mend_mojibake(text: str) -> str:
    """UTF-8 that was read as cp1252, read rightly; text that is none stays as it is.

    >>> mend_mojibake("RÃ©ponse"), mend_mojibake("Réponse")
    ('Réponse', 'Réponse')
    """
    for codec in ("cp1252", "latin-1"):
        try:
            return text.encode(codec).decode("utf-8")
        except (UnicodeEncodeError, UnicodeDecodeError):
            continue
    return text
