"""Checks of single fields of a request: each gives the value, or a ValueError in plain words.

No word of theirs holds the value: it may be a secret.
"""

from typing import Final, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator

from podtune.core.addresses import flaw, is_loopback
from podtune.core.form_faults import is_plain

ALL_LINEAR: Final = "all-linear"
MAX_TARGETS: Final = 64
"""Names of layers; the families we know have at most 12. Chosen."""


def whole(value: object) -> object:
    """8.0 is 8: JSON has one kind of number."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def targets(value: object) -> object:
    """A list of layer names, or `all-linear`."""
    if value is None or value == ALL_LINEAR:
        return value
    if not isinstance(value, list | tuple):
        raise ValueError(f"must be a list of layer names, or {ALL_LINEAR!r}")
    names = cast("list[object]", value)
    if not 1 <= len(names) <= MAX_TARGETS:
        raise ValueError(f"must name 1 to {MAX_TARGETS} layers")
    found = [n for n in names if isinstance(n, str) and 0 < len(n) <= 200 and is_plain(n, "._-")]
    if len(found) < len(names):
        raise ValueError("must hold names of letters, digits, '.', '_' and '-' only")
    return tuple(found)


def job_name(value: str) -> str:
    """An id that can be part of a file's name."""
    if not 1 <= len(value) <= 128 or not is_plain(value, "._-") or value[0] == ".":
        raise ValueError(
            "must have 1 to 128 of letters, digits, '.', '_' and '-', and not begin with '.': it "
            "becomes part of a file's name"
        )
    return value


def model_name(value: str) -> str:
    """`org/name` on the Hub, or a bare name; never a path."""
    parts = value.split("/")
    is_name = len(parts) <= 2 and all(
        p and len(p) <= 96 and is_plain(p, "._-") and p[0].isalnum() and ".." not in p
        for p in parts
    )
    if not is_name:
        raise ValueError("must be a model's name on the Hub, org/name")
    return value


def printable(value: str) -> str:
    """A name that can be shown."""
    if not value.isprintable():
        raise ValueError("must be text that can be printed")
    return value


def address(most: int) -> AfterValidator:
    """A check for addresses of at most so many characters: https, or http to this very machine."""

    def check(value: str) -> str:
        problem = flaw(value, most)
        if problem is not None:
            raise ValueError(f"is no address that can be used: {problem}")
        parts = urlsplit(value)
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            raise ValueError("must begin with https://; plain http is for this machine only")
        return value

    return AfterValidator(check)
