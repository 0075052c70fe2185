"""Personal data and secrets in text: found, shown masked, replaced.

Takes the text of a message, gives spans. What it does not know: names, postal addresses and other
personal data that have no form of their own, and whether a secret is still valid.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

from podtune.data.quality import keys, numbers

PLACEHOLDERS: Final = {
    "pii_email": "[email]",
    "pii_phone": "[phone]",
    "pii_card": "[card]",
    "pii_iban": "[iban]",
    "secret": "[secret]",
}
"""What stands in the text after `redact`, by code."""

_NOT_DIGITS: Final = bytes(byte for byte in range(256) if not 48 <= byte <= 57)
_ESCAPED_ASCII: Final = re.compile(rb"\\u00[2-7]")
_LOCAL_PART: Final = 64  # octets, RFC 5321, 4.5.3.1.1
# letters of scripts that put blanks between words: others run on without one
_WORD: Final = "0-9A-Za-z_\\u00c0-\\u00d6\\u00d8-\\u00f6\\u00f8-\\u1fff"
_LOCAL: Final = re.compile(rf"[{_WORD}.%+\-']")
_DOMAIN: Final = re.compile(rf"(?:[{_WORD}\-]{{1,63}}+\.){{1,8}}+[{_WORD}\-]{{0,63}}+")
_TOP_LEVEL: Final = re.compile(r"[^\W\d_]{2,24}|xn--[a-z0-9\-]{2,59}", re.IGNORECASE)
_FILE_ENDINGS: Final = re.compile(
    "avif|bin|css|csv|gif|gz|html?|ico|jpe?g|js|json|mp4|pdf|png|py|svg|ts|txt|webp|yaml|zip",
    re.IGNORECASE,
)
_IN_ADDRESS: Final = re.compile(
    r"(?:https?|ftp|wss?)://[^\s<>\"']++|www\.[^\s<>\"']++", re.IGNORECASE
)


class Hit(NamedTuple):
    """One find: its code, where it stands, and what may be shown of it (never the value)."""

    code: str
    start: int
    end: int
    masked: str


def may_hold(raw: bytes) -> bool:
    """False only when `scan` would find nothing in any string of this line; about 1 ns a byte.

    Args:
        raw: A line of a file: UTF-8 text or JSON, escapes as they are.
    """
    if b"@" in raw:
        return True
    digits = len(raw.translate(None, _NOT_DIGITS))
    if digits >= numbers.DIGITS or keys.may_hold(raw, digits):
        return True
    return b"\\" in raw and _ESCAPED_ASCII.search(raw) is not None


def scan(text: str) -> list[Hit]:
    """Personal data and secrets, in order, none overlapping another.

    Of two that overlap the one stays that says more: a secret, then an address, then an account,
    a card, a phone number.

    >>> [(hit.code, hit.masked) for hit in scan("anna@example.com, +43 660 1234512")]
    [('pii_email', 'a***@e***.com'), ('pii_phone', '+43 *** 12')]
    """
    if not may_hold(text.encode("utf-8", "replace")):
        return []
    kept: list[Hit] = []
    for hit in _candidates(text):
        at = bisect_left(kept, hit.start, key=_start)
        free_before = at == 0 or kept[at - 1].end <= hit.start
        if free_before and (at == len(kept) or hit.end <= kept[at].start):
            kept.insert(at, hit)
    return kept


def redact(text: str, codes: frozenset[str]) -> str:
    """The text with `[email]`, `[phone]`, ... in the place of what `scan` finds.

    Done again until nothing is found, because a placeholder may change how its neighbour reads.
    Every round takes something away, so it ends.

    >>> redact("Mail anna@example.com.", frozenset({"pii_email"}))
    'Mail [email].'
    """
    while hits := [hit for hit in scan(text) if hit.code in codes]:
        parts: list[str] = []
        at = 0
        for hit in hits:
            parts += [text[at : hit.start], PLACEHOLDERS[hit.code]]
            at = hit.end
        text = "".join(parts) + text[at:]
    return text


def _start(hit: Hit) -> int:
    return hit.start


def _candidates(text: str) -> Iterator[Hit]:
    """Every find, the kind that says more first."""
    yield from (Hit("secret", *key) for key in keys.find(text))
    if "@" in text:
        yield from _emails(text)
    if len(text.encode("utf-8", "replace").translate(None, _NOT_DIGITS)) >= numbers.DIGITS:
        yield from _numbers(text)


def _numbers(text: str) -> Iterator[Hit]:
    """Numbers that are no part of a web address."""
    web = "//" in text or "www." in text
    addresses = [found.span() for found in _IN_ADDRESS.finditer(text)] if web else []
    for number in numbers.find(text):
        at = bisect_right(addresses, number.start, key=lambda span: span[0])
        if at == 0 or addresses[at - 1][1] <= number.start:
            yield Hit(*number)


def _emails(text: str) -> Iterator[Hit]:
    end = 0
    at = text.find("@")
    while at >= 0:
        found = _email_around(text, at, end)
        if found:
            end = found.end
            yield found
        at = text.find("@", at + 1)


def _email_around(text: str, at: int, earliest: int) -> Hit | None:
    """The address whose `@` stands at `at`; nothing before `earliest` belongs to it."""
    window = text[max(earliest, at - _LOCAL_PART - 1) : at]
    local = _local_part(window)
    domain = _domain(text, at + 1)
    if not local or len(local) > _LOCAL_PART or not domain:
        return None
    start, end = at - len(local), at + 1 + len(domain)
    if local == "git" or (text[:start].endswith(":") and "://" in text[max(0, start - 80) : start]):
        return None  # git@host:path, and the password of an address
    top = domain.rpartition(".")[2]
    return Hit("pii_email", start, end, f"{local[0]}***@{domain[0]}***.{top}")


def _local_part(window: str) -> str:
    """The longest tail that may stand before an `@`."""
    at = len(window)
    while at and _LOCAL.match(window[at - 1]):
        at -= 1
    return window[at:].lstrip("._%+-'") if not window.endswith((".", "'")) else ""


def _domain(text: str, at: int) -> str:
    found = _DOMAIN.match(text, at)
    if not found:
        return ""
    domain = found[0].rstrip(".-_")
    name, _, top = domain.rpartition(".")
    if not name or name[0] in "-_" or not _TOP_LEVEL.fullmatch(top) or _FILE_ENDINGS.fullmatch(top):
        return ""
    return domain
