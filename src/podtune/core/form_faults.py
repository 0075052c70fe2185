"""What is wrong with a JSON form that came from elsewhere, in words for whoever wrote it.

Takes a validator's error, gives one line for each fault. Values are cut, keys and the queries of
addresses are blotted out; some fields' values are not shown at all.
"""

import math
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Final

from pydantic import ValidationError

from podtune.core.redact import scrub

Known = Mapping[tuple[str, ...], tuple[str, ...]]
SHOWN: Final = 40
"""Characters of a value or a name in an error."""

_DEPTH: Final = 2
"""Sections lie one deep; what follows in a fault's place is a branch of a union or an index."""

_WORDS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a number that is finite",
    "model_type": "must be a JSON object",
    "string_unicode": "must be valid Unicode",
    "greater_than": "must be over {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be under {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
}
"""The validator's kind of fault -> our words."""

_BY_TYPE: Final = frozenset({"string_type", "int_type", "float_type", "model_type"})


def faults_of(error: ValidationError, known: Known, secret: Collection[str] = ()) -> list[str]:
    """Each fault once, with the place it is at, in the order of the fields.

    Args:
        error: Of a strict model.
        known: Section -> the names it has, for guesses at what was meant; the top is `()`.
        secret: Fields at the top whose values must not be shown.
    """
    found: dict[str, str] = {}
    for item in error.errors(include_url=False):
        loc = tuple(str(part) for part in item["loc"])
        kind, value = item["type"], item["input"]
        if kind == "extra_forbidden":
            words = _unknown(loc, known)
        elif kind == "missing" or (value is None and kind in _BY_TYPE):
            words = _WORDS["missing"]
        else:
            hidden = bool(loc) and loc[0] in secret
            words = _words(kind, item.get("ctx") or {}, item["msg"])
            words += _got(kind, value, hidden=hidden)
        found.setdefault(".".join(shown(part) for part in loc[:_DEPTH]), words)
    return [f"{path}: {words}" if path else words for path, words in found.items()]


def _words(kind: str, context: Mapping[str, object], message: str) -> str:
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    known = _WORDS.get(kind)
    return "is not valid" if known is None else known.format(**context)


def _got(kind: str, value: object, *, hidden: bool) -> str:
    """What came instead, where that may be shown."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind in _BY_TYPE and not (is_number and kind in ("int_type", "float_type")):
        also = f" {shown(value)}" if isinstance(value, str) and not hidden else ""
        return f", not {kind_of(value)}{also}"
    if kind == "string_unicode" or hidden:
        return ""
    return f" (got {shown(value)})" if isinstance(value, str | int | float) else ""


def _unknown(loc: tuple[str, ...], known: Known) -> str:
    """That a name is unknown, and which one may be meant."""
    section, name = loc[:-1], loc[-1][:SHOWN]
    near = get_close_matches(name, known.get(section, ()), n=1)
    if near:
        return f"unknown, did you mean {near[0]}?"
    for elsewhere, names in known.items():
        if name in names:
            return (
                f"unknown here, it belongs {'into ' + elsewhere[0] if elsewhere else 'to the top'}"
            )
    return "unknown"


def kind_of(value: object) -> str:
    """What JSON calls a value, with its article."""
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (type(None), "null"),
        (bool, "true or false"),
        (str, "the text"),
        (float, "a number" if not isinstance(value, float) or math.isfinite(value) else "NaN"),
        (int, "a number"),
        ((list, tuple), "a list"),
        (Mapping, "an object"),
    )
    return next((word for kind, word in kinds if isinstance(value, kind)), "something else")


def shown(value: object) -> str:
    """A value as it may stand in an error: short, printable, without a query and without a key."""
    if isinstance(value, int) and abs(value) >= 10**15:
        return "a huge number"
    if isinstance(value, int | float):
        return f"{value:g}"
    text = scrub(str(value)[:2000].partition("?")[0])
    cut = text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
    return cut if is_plain(cut, "._-") and cut else ascii(cut)


def is_plain(text: str, also: str) -> bool:
    """Whether a text holds ASCII letters, digits and the signs of `also` only."""
    return text.isascii() and all(sign.isalnum() or sign in also for sign in text)
