"""What is taken as it stands: addresses, buckets, quotations, paths, `org/name` ids.

Taken out of the text before numbers and names are read, so that `v2`, `3.1` or `job-118` inside one are
never read again. Says what a literal looks like; what it is for is told by the words around it.
"""

import re
from enum import StrEnum
from typing import Final, NamedTuple

from podtune.intake.words.patterns import Pattern

HEAD: Final = "\ue001"
TAIL: Final = "\ue002"
"""What stands where a literal stood: one head, then tails, as many as it had characters."""


class Kind(StrEnum):
    """What a literal looks like."""

    URL = "url"
    STORE = "store"
    QUOTED = "quoted"
    GLOB = "glob"
    FOLDER = "folder"
    FILE = "file"
    PAIR = "pair"
    """`org/name`: a model, a data set, an adapter or a place to publish."""
    HOST = "host"
    """An address without its scheme."""


class Literal(NamedTuple):
    """One of them, with its place in the text."""

    kind: Kind
    value: str
    start: int
    end: int


SUFFIXES: Final = (
    r"jsonl|ndjson|json|csv|tsv|parquet|arrow|feather|txt|md|markdown|rst|html?|xml|xlsx?|xlsm|ods|docx?|"
    r"pdf|ya?ml|mbox|eml|sqlite3?|db|sql|log|zip|tar|tgz|7z|gz|zst|bz2|xz|toml|py|ipynb|srt|vtt|epub|ini|"
    r"env|pem|key|safetensors|bin|pt|pth|gguf|jpe?g|png|mp3|mp4|wav"
)
"""Ends of names that make a word a file. From the formats the data side reads, and common others."""

_STOP: Final = r"\s\"'`<>(){}\[\],;|\ue000"
_NAME: Final = r"[^\s\"'`<>(){}\[\],;:|?!=&/\\\ue000]"

_PATTERNS: Final = (
    (Kind.STORE, r"(?<![\w])(?:s3|gs|gcs|supabase|hf|az|r2|b2|abfss?|minio)://[^\s\"'`<>(),;|]{1,1000}"),
    (Kind.URL, r"(?<![\w])[a-z][a-z0-9+.\-]{1,20}:/{1,3}[^\s\"'`<>(),;|]{1,1500}"),
    (Kind.URL, r"(?<![\w])(?:javascript|data|file):[^\s\"'`<>(),;|]{1,1500}"),
    (Kind.QUOTED, r"\"[^\"\n]{1,4000}\"|`[^`\n]{1,500}`|(?<![\w])'[^'\n]{1,300}'(?!\w)|(?<![\w])'(?=[^\n]{0,400}'(?!\w))(?:[^'\n]|(?<=\w)'(?=\w)){1,400}'(?!\w)"),
    (Kind.HOST, r"(?<![\w@./\-])(?:[a-z0-9](?:[a-z0-9\-]{0,40}[a-z0-9])?\.){1,4}(?:com|org|net|io|ai|dev|co|app|edu|gov|eu|de|fr|es|it|cn|jp|uk|br|me|info|so)(?::\d{1,5})?/[^" + _STOP + r"]{0,500}"),
    (Kind.FILE, r"(?<![\w])[a-z]:\\[^" + _STOP + r"]{1,400}|(?<![\w\\])\\\\[^" + _STOP + r"]{1,400}"),
    (Kind.FILE, r"(?<![\w/.~\-€$£¥%])(?:~[a-z0-9_\-]{0,30}/|\.{1,2}/|/(?=[\w.\-]))[^" + _STOP + r"]{0,600}"),
    (Kind.FILE, r"(?<![\w/.*\-@])" + _NAME + r"{0,120}(?:/" + _NAME + r"{1,120}){0,12}\.(?:" + SUFFIXES + r")(?:\.(?:gz|zst|bz2|xz|zip))?(?![\w/\-*])"),
    (Kind.GLOB, r"(?<![\w/.\-*])[\w.\-*?]{0,80}(?:/[\w.\-*?]{1,80}){0,8}\*[\w.\-*?/]{0,80}"),
    (Kind.FOLDER, r"(?<![\w/.\-@])[\w.\-]{1,80}(?:/[\w.\-]{1,80}){0,8}/(?![\w/])"),
    (Kind.FOLDER, r"(?<![\w/.\-@])[\w.\-]{1,80}(?:/[\w.\-]{1,80}){1,8}/(?:checkpoint|ckpt|step|epoch)[\-_]?\d{1,9}(?![\w/.\-])"),
    (Kind.PAIR, r"(?<![\w/.\-@])[a-z][\w\-]{0,60}(?:\.[\w\-]{1,40})?/[\w][\w\-]{0,90}(?:\.[\w\-]{1,60}){0,5}(?::[\w.\-]{1,40})?(?![\w/])"),
)  # fmt: skip
_COMPILED: Final = tuple((kind, Pattern(p, re.IGNORECASE)) for kind, p in _PATTERNS)

_NO_PAIR: Final = Pattern(
    r"(?:and|or|und|oder|et|ou|y|o|e|chosen|yes|on|input|prompt|question|q|he|she|him|n|24|usd|eur|gbp|\w)"
    r"/[\w]{1,20}|[a-z]{1,12}/(?:or|rejected|no|off|output|hr?|hour|hora|ora|heure|stunde|min|gpu|day|std|she|her|a|response|answer|completion)",
    re.IGNORECASE,
)
"""Words that share a slash and are no id."""

_KEY: Final = Pattern(r"[\"'][a-z_]{1,40}[\"']", re.IGNORECASE)
_COLON: Final = Pattern(r"\s{0,2}:")
"""A name in quotation marks before a colon is a key of JSON and no quotation."""
_PLAIN_WORDS: Final = Pattern(r"[a-z]+/[a-z]+")
_BEFORE_NAME: Final = Pattern(
    r"(?:^|[:=,(]|\b(?:on|from|using|with|data|datas?et|set|as|to|model|base|adapter|checkpoint|repo|name|named|called|hf|hub|at|auf|mit|von|als|sur|avec|de|comme|con|sobre|como|su|come|com|daten|datos|dati|dados|donnees|données))\s*$",
    re.IGNORECASE,
)
_BESIDE_FILE: Final = Pattern(rf"[{HEAD}{TAIL}] ?\($")
_AFTER_NAME: Final = Pattern(
    r"\s*(?:$|[.,;:!?()\[\n]|(?:and|with|for|when|to|at|on|as|using|in|und|mit|et|avec|y|con|e|com|per|para|pour|für|please|dataset|data|bitte|privat\w*|public\w*|prive|after|once|when)\b)",
    re.IGNORECASE,
)

_TRAILING: Final = ".,:;!?。"


def find(text: str) -> list[Literal]:
    """The literals of a text in their order, none inside another. Linear in the length."""
    taken: list[Literal] = []
    left = text
    for kind, pattern in _COMPILED:
        found = [_literal(kind, match) for match in pattern.finditer(left)]
        fresh = [literal for literal in found if literal is not None]
        taken += fresh
        left = blank(left, fresh)
    return sorted(taken, key=lambda literal: literal.start)


def blank(text: str, literals: list[Literal]) -> str:
    """The text with `HEAD` and `TAIL`s where the literals stand."""
    if not literals:
        return text
    parts: list[str] = []
    at = 0
    for literal in sorted(literals, key=lambda each: each.start):
        parts += (text[at : literal.start], HEAD, TAIL * (literal.end - literal.start - 1))
        at = literal.end
    return "".join([*parts, text[at:]])


def _literal(kind: Kind, match: re.Match[str]) -> Literal | None:
    """A literal without the full stop of its sentence, or None where it is none after all."""
    value, start = match[0], match.start()
    if kind is Kind.QUOTED:
        is_key = _KEY.fullmatch(value) and _COLON.match(match.string, match.end())
        return None if is_key else _quoted(value, start)
    value = value.rstrip(_TRAILING)
    if kind is Kind.PAIR and (_NO_PAIR.fullmatch(value) or _is_a_list_of_words(match)):
        return None
    if (
        kind is Kind.PAIR
        and _PLAIN_WORDS.fullmatch(value)
        and not _stands_as_name(match, len(value))
    ):
        return None
    if kind is Kind.FOLDER and len(value) < 3:
        return None  # `w/` and `c/` are short for words
    if len(value) < 2 or (kind is Kind.GLOB and "." not in value and "/" not in value):
        return None
    if kind is Kind.FILE:
        kind = _path_kind(value)
    return Literal(kind, value, start, start + len(value))


def _quoted(value: str, start: int) -> Literal:
    """A quotation; a path or an id in quotation marks is what it would be without them."""
    inner = value[1:-1]
    if inner and " " not in inner.strip() and len(inner) > 2:
        for kind, pattern in _COMPILED:
            if kind is not Kind.QUOTED and (match := pattern.fullmatch(inner)):
                return Literal(
                    _path_kind(match[0]) if kind is Kind.FILE else kind,
                    inner, start, start + len(value),
                )  # fmt: skip
    return Literal(Kind.QUOTED, inner, start, start + len(value))


def _is_a_list_of_words(match: re.Match[str]) -> bool:
    """`billing/bug/feature`: the id is only the middle of something longer."""
    text, end = match.string, match.end()
    return text[end : end + 1] == "/" or text[max(0, match.start() - 1) : match.start()] == "/"


def _stands_as_name(match: re.Match[str], length: int) -> bool:
    """Whether two everyday words with a slash stand where an id would (`on org/tickets`)."""
    text, start = match.string, match.start()
    if (
        _BESIDE_FILE.search(text[max(0, start - 4) : start])
        and text[start + length : start + length + 1] == ")"
    ):
        return False  # `rows.jsonl (good/bad)`
    return (
        _BEFORE_NAME.search(text[max(0, start - 24) : start]) is not None
        and _AFTER_NAME.match(text, start + length) is not None
    )


def _path_kind(value: str) -> Kind:
    """A file where its name has an end, a pattern where it has a star, else a folder."""
    if "*" in value:
        return Kind.GLOB
    name = re.split(r"[/\\]", value)[-1]
    if re.search(r"\.\w{1,12}$", name) and name not in ("..", "."):
        return Kind.FILE
    system = re.match(
        r"/(?:etc|proc|sys|dev|root|var|boot|run|usr|bin)\b|(?:\.\./){1,20}(?:etc|proc)/", value
    )
    return Kind.FILE if system and not value.endswith("/") else Kind.FOLDER
