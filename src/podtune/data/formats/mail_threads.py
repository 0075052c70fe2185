"""Which mails belong together: by what they answer to, else by their subject.

Takes mails, gives threads. Knows no contents.
"""

# ruff: noqa: RUF001 (letters and marks of other scripts are meant)
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from podtune.data.formats.mail_message import Mail

_REPLY: Final = re.compile(
    r"\s*(?:\[[^\[\]]{1,60}\]\s*)?(?:(?:re|aw|antw|antwort|sv|vs|ref|rif|odp|r|res|ynt|回复|回覆|答复|fw|fwd|wg|tr|rv|enc|i|vl|转发)"
    r"(?:\[\d{1,3}\]|\(\d{1,3}\)|\*\d{1,3})?\s{0,3}[:：])\s*",
    re.IGNORECASE,
)
"""What mail programs put before a subject that is answered or passed on."""

MAX_PREFIXES: Final = 50
"""Prefixes that are taken off one subject."""


def threads(mails: Sequence[Mail]) -> list[list[Mail]]:
    """Mails in threads, each by time where all its mails have one; threads as they begin."""
    forest = _Forest()
    known: dict[str, int] = {}
    for at, mail in enumerate(mails):
        if mail.id:
            at = _tie(forest, known, mail.id, at)
        for answered in mail.answers:
            # the ids of mails that are not here tie those that are
            _tie(forest, known, answered, at)
    _by_subject(mails, forest)
    found: dict[int, list[Mail]] = {}
    for at, mail in enumerate(mails):
        found.setdefault(forest.root(at), []).append(mail)
    return [_in_order(thread) for thread in found.values()]


def subject_key(subject: str) -> tuple[str, bool]:
    """A subject without its prefixes, and whether it had one."""
    at = 0
    for _ in range(MAX_PREFIXES):
        match = _REPLY.match(subject, at)
        if match is None:
            break
        at = match.end()
    return " ".join(subject[at:].split()).casefold(), at > 0


class _Forest:
    """Sets that are joined: every mail points towards the first of its thread."""

    def __init__(self) -> None:
        self._parents: dict[int, int] = {}

    def root(self, at: int) -> int:
        path: list[int] = []
        while (parent := self._parents.get(at, at)) != at:
            path.append(at)
            at = parent
        for passed in path:
            self._parents[passed] = at
        return at

    def join(self, one: int, other: int) -> None:
        first, second = sorted((self.root(one), self.root(other)))
        self._parents[second] = first


def _tie(forest: _Forest, known: dict[str, int], message_id: str, at: int) -> int:
    """Join a mail with the one of an id, or with all that name it."""
    if message_id in known:
        forest.join(known[message_id], at)
    else:
        known[message_id] = at
    return at


def _by_subject(mails: Sequence[Mail], forest: _Forest) -> None:
    """Tie replies to no mail that is here to the latest with their subject and one of their people."""
    sizes = Counter(forest.root(at) for at in range(len(mails)))
    latest: dict[str, list[int]] = {}
    for at in _by_time(mails):
        mail = mails[at]
        key, is_reply = subject_key(mail.subject)
        if not key:
            continue
        if is_reply and sizes[forest.root(at)] == 1:
            people = mail.recipients | {mail.sender}
            near = (
                other
                for other in reversed(latest.get(key, [])[-50:])
                if people & (mails[other].recipients | {mails[other].sender})
            )
            found = next(near, None)
            if found is not None:
                forest.join(found, at)
        latest.setdefault(key, []).append(at)


def _by_time(mails: Sequence[Mail]) -> Sequence[int]:
    """Positions by time; those without one keep to the file's order at the end."""
    return sorted(range(len(mails)), key=lambda at: (mails[at].time is None, mails[at].time or 0.0))


def _in_order(thread: Sequence[Mail]) -> list[Mail]:
    if any(mail.time is None for mail in thread):
        return list(thread)
    return sorted(thread, key=lambda mail: mail.time or 0.0)
