"""One mail: who wrote it, to what it answers, and what its writer wrote.

Takes the bytes of a message. Whatever they are, nothing is raised. Knows nothing of mailboxes.
"""

import codecs
import re
from email import errors, message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import parseaddr, parsedate_to_datetime
from typing import Final, NamedTuple, cast

from podtune.data.formats.quoting import without_quotes
from podtune.data.quality.markup import page_text

MAX_HEADER: Final = 4_000
"""Characters of a header that are looked at."""

MAX_REFERENCES: Final = 64 * 1024
"""The same of the list of mails answered to, which grows with its thread."""

MAX_TEXT: Final = 1024**2
"""Characters of a text; people write no mail of a thousand pages."""

MAX_PARTS: Final = 200
"""Parts of a mail that are looked through for its text."""

_NO_CHARSETS: Final = frozenset(
    {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"}
)
"""Codecs of Python that are no charsets of mail; some are slow on long texts."""

_WESTERN: Final = re.compile(r"us-ascii|ascii|iso-?8859|latin|windows-125|cp-?125", re.IGNORECASE)

_FAULTS: Final = (
    ValueError, TypeError, LookupError, AttributeError, AssertionError, RecursionError,
    errors.MessageError,
)  # fmt: skip
"""What the standard library raises over damaged mail."""

_ID: Final = re.compile(r"<([^<>\s]{1,998})>")
_MACHINE: Final = re.compile(
    r"(?:do[._-]?)?no[t]?[._-]?reply|mailer[._-]?daemon|postmaster|bounces?|auto[._-]?(?:reply|responder)|"
    r"notifications?|newsletter|alerts?|automated|keine[._-]?antwort",
    re.IGNORECASE,
)
"""Local parts of addresses behind which nobody sits."""

_DIGEST: Final = re.compile(r"\bdigest\b.{0,60}\b(?:vol|issue|no)\b|\bdigest,? \d", re.IGNORECASE)
_ABSENT: Final = re.compile(
    r"(?:automatic reply|auto(?:matic)?[- ]?(?:reply|response)|out of (?:the )?office|automatische antwort|abwesenheits|"
    r"réponse automatique|respuesta automática|resposta automática|risposta automatica|automatisch antwoord|"
    r"undeliverable|undelivered mail|delivery status notification|mail delivery (?:failed|subsystem)|unzustellbar)",
    re.IGNORECASE,
)
"""How subjects of automatic answers begin."""

_HISTORY: Final = re.compile(
    r"<(?:blockquote|div|table|span|hr)\b[^<>]{0,300}?(?:gmail_quote|gmail_attr|moz-cite-prefix|yahoo_quoted|divRplyFwdMsg|"
    r"appendonsend|type=\"?cite|OLK_SRC_BODY_SECTION|protonmail_quote|zmail_extra|gmail_extra)[^<>]{0,300}>",
    re.IGNORECASE,
)
"""The element below which a mail program puts what is answered to."""


class _BoundedPolicy(EmailPolicy):
    """The library's default policy, with headers cut: its parser takes quadratic time over them."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        long = name.lower() in {"references", "in-reply-to"}
        return name, value[: MAX_REFERENCES if long else MAX_HEADER]


_POLICY: Final = _BoundedPolicy()


class Mail(NamedTuple):
    """What is kept of a message."""

    line: int
    id: str
    answers: tuple[str, ...]
    """Ids of the mails before it, the nearest last."""
    sender: str
    """Address, in lower case."""
    name: str
    recipients: frozenset[str]
    subject: str
    time: float | None
    text: str
    is_automatic: bool
    had_quotes: bool
    had_html: bool


MOST_BOUNDARIES: Final = 5000
"""Lines of a message that may be borders of its parts."""


def parse(line: int, raw: bytes) -> Mail | None:
    """A message; None where nobody is named as its sender, or it cannot be read at all."""
    if raw.count(b"\n--") > MOST_BOUNDARIES:
        raw = raw.split(b"\n\n", 1)[0]  # no mail has so many parts; the parser takes their square
    try:
        message = cast("EmailMessage", message_from_bytes(raw, _class=EmailMessage, policy=_POLICY))
        headers = _headers(message)
    except _FAULTS:
        return None
    name, sender = _address(headers.get("from", ""))
    if not sender:
        return None
    automatic = _is_automatic(headers, sender)
    text, had_html, had_history = ("", False, False) if automatic else _text(message)
    text, had_quotes = without_quotes(text)
    reply_to = _ID.findall(headers.get("in-reply-to", ""))[:1]
    return Mail(
        line=line,
        id=next(iter(_ID.findall(headers.get("message-id", ""))), ""),
        answers=(*_ID.findall(headers.get("references", "")), *reply_to),
        sender=sender,
        name=name,
        recipients=_recipients(headers),
        subject=headers.get("subject", ""),
        time=_time(headers.get("date", "")),
        text=text,
        is_automatic=automatic,
        had_quotes=had_quotes or had_history,
        had_html=had_html,
    )


def _headers(message: EmailMessage) -> dict[str, str]:
    """First value of every header by its name in lower case, decoded.

    The raw values: the library's own parser of headers raises on damaged ones.
    """
    found: dict[str, str] = {}
    for name, value in message.raw_items():
        key = str(name).lower()
        if key not in found:
            found[key] = _decoded(" ".join(str(value).split()))
    return found


def _decoded(value: str) -> str:
    if "=?" not in value:
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    try:
        return str(make_header(decode_header(value)))
    except _FAULTS:
        return value.encode("utf-8", "replace").decode()


def _address(value: str) -> tuple[str, str]:
    """Name and address of a sender; the name may hold what would confuse the address's parser."""
    name, address = parseaddr(value[:1000])
    if "@" not in address:
        found = re.search(r"[^\s<>\"(),;:]{1,64}@[^\s<>\"(),;:]{1,255}", value[:1000])
        address = found[0] if found else address
    return name.strip().strip("\"'"), address.strip().lower()


def _recipients(headers: dict[str, str]) -> frozenset[str]:
    listed = f"{headers.get('to', '')},{headers.get('cc', '')}"
    return frozenset(
        found.lower() for found in re.findall(r"[^\s<>\"(),;:]{1,64}@[^\s<>\"(),;:]{1,255}", listed)
    )


def _time(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except (*_FAULTS, OverflowError, OSError):
        return None


def _is_automatic(headers: dict[str, str], sender: str) -> bool:
    """Whether a program sent it: answers of absence, bounces, notices, newsletters, digests."""
    kind = headers.get("content-type", "").lower()
    newsletter = "list-unsubscribe" in headers and not headers.keys() & {"list-post", "list-id"}
    subject = headers.get("subject", "")
    return (
        headers.get("auto-submitted", "no").lower().partition(";")[0].strip() != "no"
        or headers.get("precedence", "").lower() in {"bulk", "junk", "auto_reply"}
        or bool(headers.keys() & {"x-autoreply", "x-autorespond", "x-autoresponder"})
        or headers.get("return-path", "").strip() == "<>"
        or newsletter
        or kind.startswith(("multipart/report", "multipart/digest"))
        or _MACHINE.fullmatch(sender.partition("@")[0].partition("+")[0]) is not None
        or _ABSENT.match(subject) is not None
        or _DIGEST.search(subject) is not None
    )


def _text(message: EmailMessage) -> tuple[str, bool, bool]:
    """The text of a mail, whether it was HTML, and whether that held what is answered to.

    Plain text goes first; attachments do not count.
    """
    page = ""
    try:
        for count, part in enumerate(message.walk()):
            if count >= MAX_PARTS:
                break
            kind = _kind(part)
            if kind == "plain" and (found := _content(part)).strip():
                return found, False, False
            if kind == "html" and not page:
                page = _content(part)
    except _FAULTS:
        pass
    if not page.strip():
        return "", False, False
    history = _HISTORY.search(page)
    written = page_text(page[: history.start()] if history else page)
    return written, True, history is not None


def _kind(part: EmailMessage) -> str:
    """`plain`, `html`, or nothing for what is no text of this mail."""
    try:
        if part.is_multipart() or part.is_attachment() or part.get_filename():
            return ""
        return {"text/plain": "plain", "text/html": "html"}.get(part.get_content_type(), "")
    except _FAULTS:
        return ""


def _content(part: EmailMessage) -> str:
    """A part's text, whatever its charset is said to be."""
    try:
        raw = part.get_payload(decode=True)
        charset = part.get_content_charset() or "utf-8"
        flowed = str(part.get_param("format", "")).lower() == "flowed"
    except _FAULTS:
        return ""
    if not isinstance(raw, bytes):
        return ""
    text = _readable(raw[: 4 * MAX_TEXT], charset)[:MAX_TEXT].replace("\r\n", "\n")
    return _unflowed(text) if flowed else text


def _readable(raw: bytes, charset: str) -> str:
    """Bytes as text: by the charset that is named, else as UTF-8, else as Windows writes it.

    Text that is good UTF-8 beyond ASCII is UTF-8 where a Western charset is named: mailboxes are
    converted as a whole, and programs name charsets out of habit.
    """
    western = _WESTERN.match(charset) is not None
    for name in ("utf-8", charset) if western and not raw.isascii() else (charset, "utf-8"):
        try:
            if codecs.lookup(name).name.replace("-", "_") not in _NO_CHARSETS:
                return raw.decode(name).encode("utf-8", "replace").decode()
        except (LookupError, ValueError):
            continue
    return raw.decode("cp1252", "replace")


def _unflowed(text: str) -> str:
    """Lines that end in a blank go on in the next, unless its depth of quoting is another."""
    lines: list[str] = []
    for line in text.split("\n"):
        joins = (
            bool(lines)
            and lines[-1].endswith(" ")
            and lines[-1] != "-- "
            and line != "-- "
            and lines[-1].startswith(">") == line.startswith(">")
        )
        if joins:
            lines[-1] += line.lstrip(">").removeprefix(" ")
        else:
            lines.append(line)
    return "\n".join(lines)
