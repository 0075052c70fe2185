"""Answers that somebody rated good or bad, beside the conversation in any of its forms.

A thumb, a truth value or one of a few words; a number of stars is no such rating, for nobody says
where good begins. Takes decoded values, knows nothing of files and lines.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from podtune.data.record import Converted, Problem

NAME: Final = "rated"

THUMBS: Final = ("thumbs", "thumb", "vote", "feedback")
"""Keys whose 1, 0 and -1 can only be an opinion of the answer."""

KEYS: Final = ("label", *THUMBS, "rating", "rated", "desirable", "is_good", "helpful")
"""Keys of a rating: TRL's unpaired preferences (`label`), and those of chat tools."""

_GOOD: Final = frozenset(
    {"true", "up", "good", "positive", "like", "liked", "thumbs up", "thumbs_up", "thumbsup",
     "\N{THUMBS UP SIGN}", "+1", "desirable", "helpful", "upvote"}
)  # fmt: skip
_BAD: Final = frozenset(
    {"false", "down", "bad", "negative", "dislike", "disliked", "thumbs down", "thumbs_down",
     "thumbsdown", "\N{THUMBS DOWN SIGN}", "-1", "undesirable", "unhelpful", "downvote"}
)  # fmt: skip
_LOOSE: Final = {"1": True, "1.0": True, "0": False, "0.0": False, "-1.0": False} | {
    "yes": True, "no": False, "y": True, "n": False,
}  # fmt: skip
"""Values that say something else elsewhere: a class, a number of stars, an answer."""


_KNOWN: Final = frozenset(KEYS)


def key_of(fields: Mapping[str, object], wanted: str | None = None) -> str | None:
    """The key of a record's rating: as somebody said, or by its name; None where it has none."""
    if wanted is not None:
        return wanted if wanted in fields else None
    if _KNOWN.isdisjoint(map(_plain, fields)):
        return None
    by_plain = {_plain(key): key for key in fields}
    return next(by_plain[key] for key in KEYS if key in by_plain)


def of_value(value: object, *, loosely: bool) -> bool | None:
    """Good, bad, or None where a value says neither.

    Args:
        value: Of a rating's key.
        loosely: Whether 1, 0, yes and no are taken for ratings too.

    >>> of_value("up", loosely=False), of_value(False, loosely=False), of_value(4, loosely=True)
    (True, False, None)
    """
    if isinstance(value, bool):
        return value
    word = str(value).strip().casefold() if isinstance(value, str | int | float) else ""
    if word in _GOOD or word in _BAD:
        return word in _GOOD
    return _LOOSE.get(word) if loosely else None


def fits(fields: Mapping[str, object]) -> bool:
    """Whether a record holds a rating beyond doubt."""
    key = key_of(fields)
    return key is not None and of_value(fields[key], loosely=_is_thumb(key)) is not None


def labelled(
    converted: Converted, fields: Mapping[str, object], *, wanted: str | None, is_asked: bool
) -> Converted:
    """A conversation with the rating that stands beside it.

    Args:
        converted: What became of the record without its rating.
        fields: The record.
        wanted: The key of the rating, where somebody said it.
        is_asked: Whether ratings are what is trained on: then one that cannot be read is a problem.
    """
    key = key_of(fields, wanted)
    value = fields.get(key) if key is not None else None
    if key is None or value in (None, "") or not converted.messages:
        return converted
    label = of_value(value, loosely=is_asked or wanted is not None or _is_thumb(key))
    if label is not None:
        return converted._replace(label=label)
    if not is_asked and wanted is None:
        return converted
    problem = Problem("bad_label", f"under {key[:30]!r}")
    return converted._replace(messages=(), problems=(*converted.problems, problem))


@lru_cache(1024)
def _plain(key: str) -> str:
    return key.strip().lower()


def _is_thumb(key: str) -> bool:
    return _plain(key) in THUMBS
