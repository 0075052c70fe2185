"""Mailboxes in mbox form: threads of mail become conversations.

Takes numbered lines of bytes; holds the texts people wrote, never attachments. Knows no files.

Source: RFC 4155 (mbox), RFC 5322 (messages), RFC 3834 (automatic answers), RFC 3676 (flowed text).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from podtune.core.units import plural
from podtune.data.formats import speaker as speakers
from podtune.data.formats.fields import joined
from podtune.data.formats.mail_message import Mail, parse
from podtune.data.formats.mail_threads import threads
from podtune.data.record import Problem, Reading, Record

NAME: Final = "mbox"

MAX_MESSAGE: Final = 8 * 1024**2
"""Bytes of one message that are looked at; texts stand before attachments."""

_PRIVATE_DOMAINS: Final = frozenset(
    [
        "gmail.com",
        "googlemail.com",
        "outlook.com",
        "hotmail.com",
        "live.com",
        "msn.com",
        "yahoo.com",
        "ymail.com",
        "icloud.com",
        "me.com",
        "mac.com",
        "aol.com",
        "gmx.de",
        "gmx.net",
        "gmx.at",
        "gmx.ch",
        "web.de",
        "t-online.de",
        "freenet.de",
        "posteo.de",
        "mailbox.org",
        "proton.me",
        "protonmail.com",
        "orange.fr",
        "free.fr",
        "wanadoo.fr",
        "laposte.net",
        "sfr.fr",
        "libero.it",
        "virgilio.it",
        "mail.ru",
        "yandex.ru",
        "qq.com",
        "163.com",
        "126.com",
        "naver.com",
        "hey.com",
        "fastmail.com",
        "zoho.com",
        "hotmail.fr",
        "hotmail.co.uk",
        "yahoo.co.uk",
        "yahoo.fr",
        "yahoo.de",
        "bluewin.ch",
    ]
)
"""Domains where anybody may have an address: two of them are no team."""

_SUPPORT_THREADS: Final = 1_000_000.0
"""Added for a local part such as support: it wins over every count of threads."""


def gather_lines(lines: Iterable[tuple[int, bytes]], reading: Reading) -> Iterator[Record]:
    """One record for every thread somebody answered in, in the order they begin in the file.

    Args:
        lines: Physical lines with their numbers.
        reading: Says who is the assistant, or gets the choice.

    Raises:
        DatasetError: nobody has the name or address that was asked for.
    """
    mails: dict[str, Mail] = {}
    automatic = 0
    for number, raw in _split(lines):
        mail = parse(number, raw)
        if mail is None or (mail.id and mail.id in mails):
            continue  # a mail stands in a mailbox once for every folder it is in
        automatic += mail.is_automatic
        mails[mail.id or f"line {number}"] = mail
    written = [mail for mail in mails.values() if not mail.is_automatic and mail.text]
    yield from _conversations(threads(written), reading)
    _tell(written, automatic, reading)


def _tell(written: Sequence[Mail], automatic: int, reading: Reading) -> None:
    quoted = sum(mail.had_quotes for mail in written)
    pages = sum(mail.had_html for mail in written)
    counts = {
        "bot_messages_dropped": automatic,
        "quoted_text_stripped": quoted,
        "html_stripped": pages,
    }
    for code, count in counts.items():
        if count:
            reading.note(Problem(code, plural(count, "message")), None)


def _split(lines: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """First line and bytes of every message; a `From ` line after a blank one begins it."""
    start, held, size, blank = 0, list[bytes](), 0, True
    for number, line in lines:
        bare = line.rstrip(b"\r\n")
        if blank and bare.startswith(b"From "):
            if held:
                yield start, b"\n".join(held)
            start, held, size = number, [], 0
        elif start and size < MAX_MESSAGE:
            quoted = bare.startswith(b">") and bare.lstrip(b">").startswith(b"From ")
            held.append(bare[1:] if quoted else bare)
            size += len(bare) + 1
        blank = not bare
    if held:
        yield start, b"\n".join(held)


def _conversations(found: Sequence[Sequence[Mail]], reading: Reading) -> Iterator[Record]:
    talks = [talk for talk in found if len(talk) > 1]
    lost = sum(len(talk) for talk in found if len(talk) == 1)
    answering = _addresses_that_answer([mail for talk in found for mail in talk], talks, reading)
    inside = _insiders([mail for talk in found for mail in talk], answering)
    internal = 0
    for talk in talks:
        spoken = [
            m
            for m in talk
            if not (m.sender in answering and m.recipients and m.recipients <= inside)
        ]
        internal += len(talk) - len(spoken)
        if len(spoken) < 2:
            lost += len(spoken)
            continue
        turns = joined(("assistant" if m.sender in answering else "user", m.text) for m in spoken)
        yield Record(min(mail.line for mail in spoken), {"messages": turns})
    for code, count in (
        ("unthreaded_messages_dropped", lost),
        ("internal_notes_dropped", internal),
    ):
        if count:
            reading.note(Problem(code, plural(count, "message")), None)


def _insiders(mails: Sequence[Mail], answering: set[str]) -> set[str]:
    """Addresses of the team: who answers, and who never writes but has an address of theirs."""
    domains = {address.rpartition("@")[2] for address in answering} - _PRIVATE_DOMAINS - {""}
    asking = {mail.sender for mail in mails} - answering
    named = {address for mail in mails for address in mail.recipients}
    return answering | {a for a in named - asking if a.rpartition("@")[2] in domains}


def _addresses_that_answer(
    mails: Sequence[Mail], talks: Sequence[Sequence[Mail]], reading: Reading
) -> set[str]:
    """Addresses of the assistant: as asked for, else who answers most threads, with their team."""
    senders: dict[str, list[str]] = {}
    for mail in mails:
        names = senders.setdefault(mail.sender, [mail.sender])
        if mail.name and mail.name not in names and len(names) < 10:
            names.append(mail.name)
    wanted = reading.options.speaker
    if wanted is not None:
        known = [name for names in senders.values() for name in names]
        names = speakers.named(wanted, known)
        return {sender for name in names for sender in _of_stated(name, senders)}
    scores = _scores(talks)
    chosen = speakers.by_rule(reading, scores, {address: address for address in scores})
    return _team(chosen, scores, talks, reading) if chosen else set()


def _of_stated(wanted: str, senders: Mapping[str, list[str]]) -> Iterable[str]:
    """Addresses of one who was asked for: of a person, or all of a domain."""
    domain = speakers.fold(wanted).rpartition("@")[2]
    team = {sender for sender in senders if sender.endswith("@" + domain)}
    is_domain = bool(team) and speakers.fold(wanted) == domain
    return team if is_domain else speakers.stated(wanted, senders)


def _scores(talks: Sequence[Sequence[Mail]]) -> dict[str, float]:
    """Address -> threads of others it answers in, less those it opens."""
    scores: dict[str, float] = {}
    for talk in talks:
        opener = talk[0].sender
        scores[opener] = scores.get(opener, 0.0) - 1
        for sender in dict.fromkeys(mail.sender for mail in talk):
            if sender != opener:
                scores[sender] = scores.get(sender, 0.0) + 1
    for address, score in scores.items():
        local = address.partition("@")[0]
        if speakers.SUPPORT.search(local):
            scores[address] = score + _SUPPORT_THREADS
    return scores


def _team(
    chosen: str, scores: Mapping[str, float], talks: Sequence[Sequence[Mail]], reading: Reading
) -> set[str]:
    """The address, with its colleagues where its whole domain answers and seldom opens a thread."""
    domain = chosen.rpartition("@")[2]
    team = {address for address in scores if address.rpartition("@")[2] == domain}
    if len(team) < 2 or not domain or domain in _PRIVATE_DOMAINS:
        return {chosen}
    opened = sum(talk[0].sender in team for talk in talks)
    answered = sum(any(mail.sender in team for mail in talk[1:]) for talk in talks)
    if opened * 5 > answered:
        return {chosen}
    choice = reading.choices["speaker"]
    outside = [other for other in choice.others if not other.endswith("@" + domain)]
    reading.choices["speaker"] = choice.model_copy(
        update={"value": domain, "others": tuple(outside), "close": False}
    )
    return team
