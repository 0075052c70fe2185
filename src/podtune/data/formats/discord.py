"""Messages as DiscordChatExporter writes them: chains of replies become conversations.

Knows no files; holds the messages. Without any reply in it, a channel is read as a chat.

Source: DiscordChatExporter's JSON (Tyrrrz/DiscordChatExporter, versions 2.30 to 2.46).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from podtune.core.units import plural
from podtune.data.formats import speaker as speakers
from podtune.data.formats.exchanges import SUPPORT_BONUS, Utterance, answering, exchanges
from podtune.data.formats.fields import identity, joined, mapping, moment, objects, text
from podtune.data.record import Problem, Reading, Record

NAME: Final = "discord"

_SAID: Final = frozenset({"", "default", "reply", "0", "19"})
"""Kinds of messages that people write, by name and by Discord's number."""

_MARKUP: Final = re.compile(
    r"<(?:@[!&]?(\d{1,20})|#(\d{1,20})|a?:(\w{1,40}):\d{1,20}|t:(\d{1,15})(?::\w)?)>"
)
"""Mentions, channels, emoji and times, where an exporter left them raw."""


class _Post(NamedTuple):
    """A message somebody wrote."""

    line: int | None
    person: str
    """Id of the author."""
    text: str
    time: float | None
    parent: str
    """Id of the message it replies to, or empty."""


class _Channel:
    """A channel's messages and people."""

    def __init__(self) -> None:
        self.posts: dict[str, _Post] = {}
        self.people: dict[str, list[str]] = {}
        """Id -> names, the one to show first."""
        self.staff: set[str] = set()
        """People with a role whose work is to answer."""
        self.bots: set[str] = set()
        """Ids of messages of bots, which hold chains together and are not trained on."""


def fits(value: Mapping[str, object]) -> bool:
    """Whether a record is a message of Discord: an author with a name, a time and a content."""
    author = mapping(value.get("author"))
    return (
        isinstance(value.get("content"), str)
        and isinstance(value.get("timestamp"), str)
        and "id" in value
        and ("name" in author or "username" in author)
        and any(key in author for key in ("isBot", "bot", "discriminator", "nickname"))
    )


def gather(records: Iterable[Record], reading: Reading) -> Iterator[Record]:
    """One record for every chain of replies, in the order they begin in the file.

    Args:
        records: Messages.
        reading: Says who is the assistant, or gets the choice where no role tells.

    Raises:
        DatasetError: nobody has the name that was asked for.
    """
    channel = _Channel()
    wanted = speakers.keys(reading.options.speaker)
    for record in records:
        if record.problem is not None:
            yield record
        else:
            _sort_in(channel, record.line, mapping(record.value), wanted)
    if channel.bots:
        count = plural(len(channel.bots), "message")
        reading.note(Problem("bot_messages_dropped", count), None)
    if any(post.parent in channel.posts for post in channel.posts.values()):
        yield from _chains(channel, reading)
    else:
        yield from _as_chat(channel, reading)


def _sort_in(
    channel: _Channel, line: int | None, value: Mapping[str, object], wanted: frozenset[str]
) -> None:
    """Put one message where it belongs."""
    author = mapping(value.get("author"))
    number, person = identity(value.get("id")), identity(author.get("id"))
    names = [text(author.get(key)) for key in ("nickname", "name", "username", "global_name")]
    names = [*dict.fromkeys(name for name in names if name)]
    person = person or next(iter(names), "")
    is_bot = author.get("isBot") is True or author.get("bot") is True
    kept_bot = is_bot and not wanted.isdisjoint(speakers.fold(n) for n in (*names, person))
    kind = identity(value.get("type")).lower()
    if not number or not person or (kind not in _SAID and not is_bot):
        return
    reference = mapping(value.get("reference")) or mapping(value.get("message_reference"))
    parent = identity(reference.get("messageId")) or identity(reference.get("message_id"))
    said = _plain(text(value.get("content")), value)
    if is_bot and not kept_bot:
        channel.bots.add(number)
    elif said:
        channel.people.setdefault(person, [*names, person])
        if any(speakers.SUPPORT.search(role) for role in _roles(author)):
            channel.staff.add(person)
    time = moment(value.get("timestamp"))
    channel.posts[number] = _Post(line, person, said, time, parent)


def _roles(author: Mapping[str, object]) -> list[str]:
    return [text(role.get("name")) for role in objects(author.get("roles"))]


def _plain(said: str, value: Mapping[str, object]) -> str:
    """Text without raw marks of mentions, channels, emoji and times."""
    if "<" not in said:
        return said
    named: dict[str, str] = {}
    for person in objects(value.get("mentions")):
        name = text(person.get("nickname")) or text(person.get("name"))
        named[identity(person.get("id"))] = name or text(person.get("username"))

    def seen(match: re.Match[str]) -> str:
        mentioned, in_channel, emoji, _ = match.groups()
        if mentioned:
            return "@" + (named.get(mentioned) or mentioned)
        if in_channel:
            return "#" + in_channel
        return f":{emoji}:" if emoji else ""

    return _MARKUP.sub(seen, said).strip()


def _people_who_answer(
    channel: _Channel, talks: Sequence[Sequence[Utterance]], reading: Reading
) -> frozenset[str] | set[str]:
    """Ids of the assistant: as asked for, by role, or who answers most."""
    if reading.options.speaker is not None:
        return speakers.stated(reading.options.speaker, channel.people)
    if channel.staff and channel.staff != set(channel.people):
        return channel.staff
    scores = dict.fromkeys(channel.people, 0.0)
    for talk in talks:
        for person, score in answering(talk).items():
            scores[person] += score
    names = {person: names[0] for person, names in channel.people.items()}
    for person, name in names.items():
        scores[person] += SUPPORT_BONUS if speakers.SUPPORT.search(name) else 0.0
    chosen = speakers.by_rule(reading, scores, names)
    return {chosen} if chosen is not None else set()


def _chains(channel: _Channel, reading: Reading) -> Iterator[Record]:
    """Conversations of replies; what no reply ties to another message is left out and counted."""
    chains: dict[str, list[str]] = {}
    roots = _roots(channel)
    for number in channel.posts:
        chains.setdefault(roots[number], []).append(number)
    lost = 0
    talks: list[list[_Post]] = []
    for chain in chains.values():
        posts = [channel.posts[n] for n in chain if n not in channel.bots and channel.posts[n].text]
        if len(chain) > 1 and posts:
            talks.append(_in_order(posts))
        else:
            lost += len(posts)
    said = [[Utterance(p.line, p.person, p.text) for p in talk] for talk in talks]
    answer = _people_who_answer(channel, said, reading)
    for talk in talks:
        turns = joined(
            (("assistant" if p.person in answer else "user", p.text) for p in talk), "\n"
        )
        lines = [post.line for post in talk if post.line is not None]
        yield Record(min(lines, default=None), {"messages": turns})
    if lost:
        reading.note(Problem("unthreaded_messages_dropped", plural(lost, "message")), None)


def _roots(channel: _Channel) -> dict[str, str]:
    """Message -> the message its chain of replies begins with; a circle begins anywhere."""
    found: dict[str, str] = {}
    for number in channel.posts:
        path: dict[str, None] = {}
        at = number
        while at not in found and at not in path:
            path[at] = None
            parent = channel.posts[at].parent
            at = parent if parent in channel.posts else at
        root = found.get(at, at)
        found.update(dict.fromkeys(path, root))
    return found


def _in_order(posts: Sequence[_Post]) -> list[_Post]:
    """Messages by time, where every one has it; else as they stand."""
    if any(post.time is None for post in posts):
        return list(posts)
    return sorted(posts, key=lambda post: post.time or 0.0)


def _as_chat(channel: _Channel, reading: Reading) -> Iterator[Record]:
    """Exchanges of a channel where nobody uses replies."""
    posts = _in_order([p for n, p in channel.posts.items() if n not in channel.bots and p.text])
    said = [Utterance(p.line, p.person, p.text, (p.time,)) for p in posts]
    answer = _people_who_answer(channel, [said], reading)
    yield from exchanges(said, lambda part: part.speaker in answer, reading)
