"""Keys, tokens and passwords in training data.

Takes a text, gives spans. Stricter than `core.redact`, which blots out whatever might be a key in
a log: here a false alarm costs a user's time, so a key has to look generated. What it does not
know: whether a key is still valid, and passwords that are ordinary words.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from podtune.core.redact import KEY_PREFIXES

RUN: Final = 19
"""Every key that is looked for holds a run of so many letters, digits, `_` or `-`: the shortest
are `hf_` and `sk-` with `_BODY_LENGTH`. One search for such a run rules out nearly all prose."""

_BODY_LENGTH: Final = 16  # shorter than any key the services hand out (AWS: 16, Hugging Face: 34)
_SEGMENT_LENGTH: Final = 12  # of the part between `-` and `_` that has to look generated
_KEY_CHARACTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
_AS_RUNS: Final = bytes(97 if byte in _KEY_CHARACTERS else 32 for byte in range(256))
_LONG_RUN: Final = b"a" * RUN
_AS_KINDS: Final = bytes(
    48 if 48 <= byte <= 57 else 97 if 65 <= byte & 0xDF <= 90 else 32 for byte in range(256)
)
_LETTER_DIGIT: Final = b"a0"

_PLACEHOLDER: Final = re.compile(
    r"your|token|secret|password|example|placeholder|replace|insert|changeme|dummy|sample|redacted"
    r"|api_?key|key_?here|xxxx|\*\*\*",
    re.IGNORECASE,
)
_LONG: Final = re.compile(rf"[A-Za-z0-9_\-]{{{RUN},}}+")
_EXACT: Final = re.compile(  # prefixes too short for a loose rule: exact lengths
    r"A[KS]IA[A-Z0-9]{16}"  # AWS IAM: unique identifiers
    r"|AIza[A-Za-z0-9_\-]{35}"  # Google API keys
    r"|SK[0-9a-f]{32}"  # Twilio API key SID
)
_JWT: Final = re.compile(  # RFC 7519; the shortest header, {"alg":"none"}, has 19 characters
    r"eyJ[A-Za-z0-9_\-]{16,}+\.eyJ[A-Za-z0-9_\-]{8,}+\.[A-Za-z0-9_\-]{8,}+"
)
_PEM: Final = re.compile(r"-----BEGIN (?:[A-Z]{2,12} )?PRIVATE KEY-----")
_PEM_END: Final = re.compile(r"-----END [A-Z ]{0,24}PRIVATE KEY-----")
_PEM_LENGTH: Final = 8_000  # characters; RSA with 8,192 bits takes 6,400
_PEM_LINES: Final = re.compile(r"(?:(?:\s|\\[nr]){0,4}[A-Za-z0-9+/=]{16,}+)*+")
_ADDRESS: Final = re.compile(r"://([^\s/@:\"'<>]{0,64}):([^\s/@\"'<>]{1,128})@")
_ADDRESS_WORDS: Final = frozenset({"pass", "passwd", "pwd", "pw", "user", "password"})
_STEMS: Final = (
    b"assw", b"passphrase", b"pwd", b"ennwort", b"wachtwoord", b"mot de passe",
    b"contrase", b"senha", b"secret", b"token", b"api", b"access",
)  # fmt: skip
_ASSIGNED: Final = re.compile(
    # one of the words, at most a short rest ("_KEY", "=", " is"), then the value
    r"(?:passw(?:or[dt]|d)|passphrase|pwd|kennwort|wachtwoord|mot de passe|contrase.{2}|senha"
    r"|secret|token|api[_\- ]?key|access[_\- ]?key)"
    r"(?:_key)?[\"'`*]{0,3}[ \t]{0,3}(?:=>|:=|[:=]|\b(?:is|ist|lautet|est|es)\b:?)[ \t]{0,3}[\"'`*]{0,3}"
    r"([^\s\"'`<>(){}\[\],;]{8,128}+)(?![(\[])",
    re.IGNORECASE | re.ASCII,
)


class Key(NamedTuple):
    """Where a secret stands, and what may be shown of it."""

    start: int
    end: int
    masked: str


def may_hold(raw: bytes, digits: int) -> bool:
    r"""Whether UTF-8 text can hold a key; about 1 ns a byte for prose.

    Args:
        raw: Text, or a line of JSON without `\u00` escapes of ASCII characters.
        digits: How many digits it has.
    """
    return _LONG_RUN in raw.translate(_AS_RUNS) or _may_name_one(raw, digits)


def find(text: str) -> Iterator[Key]:
    """Every secret in a text, in no order, possibly overlapping."""
    raw = text.encode("utf-8", "replace")
    if _LONG_RUN in raw.translate(_AS_RUNS):
        yield from _with_prefixes(text)
        yield from _private_keys(text)
    if "://" in text and "@" in text:
        yield from _in_addresses(text)
    if _may_name_one(raw, 2):
        yield from _assigned(text)


def _may_name_one(raw: bytes, digits: int) -> bool:
    """Whether a password can be assigned in it: a digit behind a letter, and the word for one."""
    if digits < 2 or _LETTER_DIGIT not in raw.translate(_AS_KINDS):
        return False
    lowered = raw.lower()
    return any(stem in lowered for stem in _STEMS)


def _with_prefixes(text: str) -> Iterator[Key]:
    """Keys that say by their beginning whose they are. Each begins a run of key characters."""
    for run in _LONG.finditer(text):
        token, (start, end) = run[0], run.span()
        if _EXACT.fullmatch(token):
            if len(set(token)) >= 8:  # not AKIAXXXXXXXXXXXXXXXX
                yield Key(start, end, token[:4] + "***")
        elif token.startswith("eyJ"):
            web_token = _JWT.match(text, start)
            if web_token:
                yield Key(start, web_token.end(), "eyJ***")
        elif token.startswith(KEY_PREFIXES) and _is_key(token):
            yield Key(start, end, token[:4] + "***")


def _is_key(token: str) -> bool:
    prefix = max((each for each in KEY_PREFIXES if token.startswith(each)), key=len)
    body = token[len(prefix) :]
    if prefix == "AKIA" or len(body) < _BODY_LENGTH or _PLACEHOLDER.search(body):
        return False
    longest = max(re.split("[_-]", body), key=len)
    return len(longest) >= _SEGMENT_LENGTH and _looks_generated(longest)


def _looks_generated(part: str) -> bool:
    """Not one letter again and again, not a word: many characters, of more than one kind."""
    kinds = len({_kind(character) for character in part})
    return len(set(part)) >= 7 and kinds >= 2


def _kind(character: str) -> str:
    if character in "0123456789":
        return "digit"
    if character.isascii() and character.isalpha():
        return "upper" if character.isupper() else "lower"
    return "other"


def _private_keys(text: str) -> Iterator[Key]:
    """PEM blocks (RFC 7468) with a body; `...` between the lines is no key."""
    for header in _PEM.finditer(text):
        footer = _PEM_END.search(text, header.end(), header.end() + _PEM_LENGTH)
        lines = _PEM_LINES.match(text, header.end())
        body_end = footer.start() if footer else lines.end() if lines else header.end()
        body = text[header.end() : body_end].encode("utf-8", "replace")
        if _LONG_RUN in body.translate(_AS_RUNS):
            yield Key(header.start(), footer.end() if footer else body_end, "PRIVATE KEY ***")


def _in_addresses(text: str) -> Iterator[Key]:
    """`user:password` in an address."""
    for found in _ADDRESS.finditer(text):
        password = found[2]
        stands_for_one = (
            password.casefold() in _ADDRESS_WORDS
            or _PLACEHOLDER.search(password)
            or not re.search("[A-Za-z0-9]", password)
            or set("${}[]<>*%") & set(password[:2])
        )
        if not stands_for_one:
            yield Key(found.start(1), found.end(2), "://***:***@")


def _assigned(text: str) -> Iterator[Key]:
    for found in _ASSIGNED.finditer(text):
        value = found[1].rstrip(".:!?*")
        if _is_password(value):
            yield Key(found.start(1), found.start(1) + len(value), "***")


def _is_password(value: str) -> bool:
    """Conservative: three kinds of characters, or digits and letters in turn."""
    digits = sum(character in "0123456789" for character in value)
    if len(value) < 8 or digits < 2 or "://" in value or "/" in value[:2]:
        return False
    if _PLACEHOLDER.search(value) or re.search(r"\.[A-Za-z_]|\$|\.\.\.|^[\d.:%\-]+$", value):
        return False  # code such as os.environ.X, amounts, versions, times
    kinds = [_kind(character) for character in value]
    changes = sum(
        (a == "digit") != (b == "digit") for a, b in pairwise(kinds) if "other" not in (a, b)
    )
    if ("lower", "digit") not in pairwise(kinds) and ("upper", "digit") not in pairwise(kinds):
        return False  # what `_may_name_one` looks for
    if len(set(kinds)) >= 3:
        return len(set(value)) >= 6
    return changes >= 4 and len(value) >= 10
