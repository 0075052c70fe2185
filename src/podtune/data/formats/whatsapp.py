"""Chats as WhatsApp exports them: one text line a message, on Android and iPhone.

Takes numbered text lines, in one pass and flat memory. Knows no files and no encodings.

Source: exports of WhatsApp for Android and iOS, 2017 to 2026, in several languages.
"""

# ruff: noqa: RUF001 (letters and marks of other scripts are meant)
import itertools
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

from podtune.data.formats import speaker as speakers
from podtune.data.formats.exchanges import Utterance, answering, exchanges
from podtune.data.record import Reading, Record

NAME: Final = "whatsapp"

LOOK: Final = 5_000
"""Messages held to tell who answers; of longer chats the beginning decides."""

NAMES_KEPT: Final = 1_000
"""Names held for the error that names the candidates; a group has at most 1,024 people."""

MAX_MESSAGE: Final = 4_000
"""Lines of one message; a message holds at most 65,536 characters."""

_HEAD: Final = re.compile(
    r"^(?P<open>\[)?(?P<date>\d{1,4}[./\-]\d{1,2}[./\-]\d{1,4})\.?,?[ ]{1,2}(?:(?:at|um|à|a las|às|kl\.?)[ ])?"
    r"(?P<before>上午|下午|오전|오후)?[ ]?(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2}))?"
    r"[ ]?(?P<after>[ap]\.?[ ]?m\.?|午前|午後|م|ص)?(?:[ ]Uhr)?(?P<close>\])?[ ]?(?P<dash>[-–][ ])?(?P<rest>.*)$",
    re.IGNORECASE | re.DOTALL,
)
"""How a message begins, with blanks and invisible marks made plain."""

_BLANKS: Final = str.maketrans({"\u202f": " ", "\u00a0": " ", "\u2009": " "})
_MARKS: Final = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\ufeff\u2066\u2067\u2068\u2069"
_UNMARKED: Final = str.maketrans(dict.fromkeys(_MARKS))

_LEFT_OUT: Final = re.compile(
    r"<[^<>\n]{1,60}>"
    r"|(?:image|photo|video|video note|audio|gif|sticker|document|contact card|location|media) omitted"
    r"|(?:bild|foto|video|videonachricht|audio|gif|sticker|dokument|kontaktkarte|medien) (?:weggelassen|ausgeschlossen)"  # codespell:ignore foto,dokument
    r"|(?:image|vidéo|audio|gif|sticker|document|média) (?:absente?|omise?|ignorée?)s?"
    r"|(?:imagen|foto|video|vídeo|imagem|áudio|audio|gif|sticker|figurinha|documento|immagine) (?:omitid[oa]|ocultad[oa]|ocult[oa]|omess[oa])"  # codespell:ignore foto
    r"|(?:afbeelding|video|audio|gif|sticker|document) weggelaten"
    r"|null",
    re.IGNORECASE,
)
"""What stands where a picture, film or recording was; Android puts it in angle brackets."""

_WITHDRAWN: Final = re.compile(
    r"(?:this message was deleted|you deleted this message|deleted message"
    r"|diese nachricht wurde (?:vom admin .{1,60} )?gelöscht|du hast diese nachricht gelöscht"
    r"|ce message a été supprimé|vous avez supprimé ce message"
    r"|se eliminó este mensaje|este mensaje fue eliminado|eliminaste este mensaje"
    r"|esta mensagem foi apagada|mensagem apagada|você apagou esta mensagem|apagou esta mensagem"
    r"|questo messaggio è stato eliminato|hai eliminato questo messaggio"
    r"|dit bericht is verwijderd|je hebt dit bericht verwijderd"
    r"|данное сообщение удалено|вы удалили данное сообщение|bu mesaj silindi|bu mesajı sildiniz"  # codespell:ignore bu
    r"|waiting for this message\. this may take a while"
    r"|missed (?:group )?(?:voice|video) call|verpasster (?:sprach|video)anruf|appel (?:vocal|vidéo) manqué"
    r"|llamada perdida|chamada de (?:voz|vídeo) perdida|(?:voice|video) call\b.{0,40})\.?",
    re.IGNORECASE,
)
"""Messages that were deleted, and calls."""

_ATTACHED: Final = re.compile(
    r"[^\n()]{1,120}\.\w{2,5} \((?:file attached|datei angehängt|fichier joint|archivo adjunto|arquivo anexado|"
    r"file allegato|bestand bijgevoegd|bifogad fil|файл добавлен|dosya ekli|添付ファイル|文件附件)\)",
    re.IGNORECASE,
)
_EDITED: Final = re.compile(
    r"[ ]?(?:\u200e<[^<>\n]{1,60}>|<(?:this message was edited|diese nachricht wurde bearbeitet|ce message a été modifié|"
    r"se editó este mensaje|esta mensagem foi editada|messaggio modificato|dit bericht is bewerkt)\.?>)\s*$",
    re.IGNORECASE,
)
"""The last words of a message that was changed; only its last form is exported."""


class _Head(NamedTuple):
    """A message's first line, taken apart. `name` is None where the app itself speaks."""

    name: str | None
    text: str
    times: tuple[float | None, ...]


def fits_text(head: str) -> bool:
    """Whether a text begins like an exported chat: its first line, and two with a name."""
    lines = [line for line in head.split("\n")[:400] if line.strip()]
    if not lines or _head(lines[0]) is None:
        return False
    found = [part for line in lines if (part := _head(line)) is not None]
    return sum(part.name is not None for part in found) >= 2


def gather_lines(lines: Iterable[tuple[int, str]], reading: Reading) -> Iterator[Record]:
    """The exchanges of a chat.

    Args:
        lines: Physical lines with their numbers.
        reading: Says who is the assistant, or gets the choice.

    Raises:
        DatasetError: nobody has the name that was asked for.
    """
    said = _messages(lines)
    if reading.options.speaker is not None:
        yield from _of_stated(said, reading.options.speaker, reading)
        return
    beginning = list(itertools.islice(said, LOOK))
    scores = answering(beginning)
    chosen = speakers.by_rule(reading, scores, {name: name for name in scores})
    yield from exchanges(
        itertools.chain(beginning, said), lambda part: part.speaker == chosen, reading
    )


def _of_stated(said: Iterator[Utterance], wanted: str, reading: Reading) -> Iterator[Record]:
    """Exchanges with the person asked for; that nobody has the name shows at the end only."""
    beginning = list(itertools.islice(said, LOOK))
    asked = speakers.named(wanted, {part.speaker for part in beginning})
    keys = {key for name in (wanted, *asked) if (key := speakers.fold(name))}
    names: dict[str, None] = {}
    seen: set[str] = set()

    def is_assistant(part: Utterance) -> bool:
        key = speakers.fold(part.speaker)
        if len(names) < NAMES_KEPT:
            names.setdefault(part.speaker)
        if key in keys:
            seen.add(key)
        return key in keys

    yield from exchanges(itertools.chain(beginning, said), is_assistant, reading)
    lacking = [name for name in asked if speakers.fold(name) not in seen]
    if lacking and speakers.fold(wanted) not in seen:
        raise speakers.unknown(lacking[0], names)


def _messages(lines: Iterable[tuple[int, str]]) -> Iterator[Utterance]:
    """What people say; lines without a head belong to the message above."""
    number, head = 0, None
    text: list[str] = []
    for at, line in lines:
        found = _head(line)
        if found is None:
            if head is not None and len(text) < MAX_MESSAGE:
                text.append(line)
            continue
        yield from _utterance(number, head, text)
        number, head, text = at, found, [found.text]
    yield from _utterance(number, head, text)


def _utterance(number: int, head: _Head | None, lines: list[str]) -> Iterator[Utterance]:
    """The message, unless the app itself speaks or nothing but a picture was sent."""
    if head is None or head.name is None:
        return
    text = _clean(lines)
    if text:
        yield Utterance(number, head.name, text, head.times)


def _clean(lines: list[str]) -> str:
    """The text people wrote: no placeholders of media, no notes of the app."""
    bare = lines[0].translate(_UNMARKED).strip() if len(lines[0]) <= 300 else ""
    if any(pattern.fullmatch(bare) for pattern in (_LEFT_OUT, _WITHDRAWN, _ATTACHED)):
        lines = lines[1:]
    # the mark stands before what the app says, never before what people write
    whole = "\n".join(line.rstrip("\r\n") for line in lines if not line.startswith("\u200e"))
    tail = _EDITED.search(whole, max(0, len(whole) - 80))
    if tail is not None:
        whole = whole[: tail.start()]
    return whole.translate(_UNMARKED).strip()


def _head(line: str) -> _Head | None:
    """A line that begins a message, taken apart; None where it goes on with one."""
    start = line[:80].lstrip(_MARKS).translate(_BLANKS)
    if not start[:2].lstrip("[").isdigit() and not start[:1].isdigit():
        return None
    match = _HEAD.match(start)
    if match is None or not _is_exported(match):
        return None
    stamp = len(line[:80]) - len(match["rest"])
    rest = line[stamp:].rstrip("\r\n")
    name, text = _name_and_text(rest)
    return _Head(name, text, _times(match))


def _is_exported(match: re.Match[str]) -> bool:
    """Whether the punctuation is that of an export; logs have seconds before a dash."""
    if match["open"]:
        return bool(match["close"])
    return bool(match["dash"]) and not match["close"] and not match["second"]


def _name_and_text(rest: str) -> tuple[str | None, str]:
    """Who speaks, and the text behind; no name where the app tells of an event."""
    name, colon, text = rest.partition(":")
    name = name.translate(_UNMARKED).translate(_BLANKS).strip().removeprefix("~").strip()
    is_name = bool(colon) and 0 < len(name) <= 80 and not any(mark in name for mark in '"“”„«»')
    if not is_name or (text and text[0] not in " \u200e\u200f\u202f\u00a0"):
        return None, rest
    return name, text.lstrip(" \u202f\u00a0")


def _times(match: re.Match[str]) -> tuple[float | None, ...]:
    """Seconds of the time stamp, with the day before the month and after it."""
    one, two, three = (int(part) for part in re.split(r"[./\-]", match["date"]))
    hour = _hour(int(match["hour"]), match["before"] or match["after"] or "")
    clock = (hour, int(match["minute"]), int(match["second"] or 0))
    if one > 31:
        return (_seconds((one, two, three), clock), _seconds((one, three, two), clock))
    return (_seconds((three, two, one), clock), _seconds((three, one, two), clock))


def _hour(hour: int, half: str) -> int:
    """The hour of 24, from one of 12 where half of the day is named."""
    mark = half.casefold()
    if not mark:
        return hour
    late = mark[0] == "p" or mark in {"下午", "오후", "午後", "م"}
    return hour % 12 + (12 if late else 0)


def _seconds(date: tuple[int, int, int], clock: tuple[int, int, int]) -> float | None:
    year = date[0] + 2000 if date[0] < 100 else date[0]
    try:
        return datetime(year, *date[1:], *clock, tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None
