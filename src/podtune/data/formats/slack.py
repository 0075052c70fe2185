"""Messages as Slack exports them: threads become conversations.

The assistant are those who answer threads that others began and seldom begin one. Knows no files;
holds the messages of the threads.

Source: Slack's workspace export (one JSON list per channel and day) and its API reference, 2026.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from podtune.core.dataset import Choice
from podtune.core.units import plural
from podtune.data.formats import speaker as speakers
from podtune.data.formats.exchanges import SUPPORT_BONUS, asks
from podtune.data.formats.fields import identity, joined, mapping, moment, text
from podtune.data.record import Problem, Reading, Record

NAME: Final = "slack"

_SAID: Final = frozenset({"", "thread_broadcast", "reply_broadcast", "me_message", "file_share"})
"""Subtypes that people write; the others are events (joins, topics, pins, calls)."""

_SLACKBOT: Final = "USLACKBOT"

_BRACKETS: Final = re.compile(r"<([^<>\n|]{1,2000})(?:\|([^<>\n]{0,2000}))?>")
_STAMP: Final = re.compile(r"\d{1,12}\.\d{1,9}")


class _Post(NamedTuple):
    """A message of a thread."""

    line: int | None
    person: str
    text: str
    time: float


class _Thread:
    """What was said in one thread."""

    def __init__(self, starter: str) -> None:
        self.starter = starter
        """Who began it; empty while that is not known."""
        self.posts: list[_Post] = []

    def in_order(self) -> list[_Post]:
        """The posts by time."""
        return sorted(self.posts, key=lambda post: post.time)

    def begun_by(self) -> str:
        """Who began it, else who spoke first of those that are here."""
        return self.starter or self.in_order()[0].person

    def answerers(self) -> list[str]:
        """Who spoke in it besides who began it, in the order they last spoke."""
        people = dict.fromkeys(post.person for post in reversed(self.in_order()))
        return [person for person in reversed(people) if person != self.begun_by()]


class _Gathered(NamedTuple):
    """A channel's messages, sorted."""

    threads: dict[tuple[str, str], _Thread]
    people: dict[str, list[str]]
    """Id -> names, the one to show first."""
    dropped: dict[str, int]
    """Code -> messages."""


def fits(value: Mapping[str, object]) -> bool:
    """Whether a record is a message of Slack: its type, and a time stamp of Slack's form."""
    stamp = value.get("ts")
    return (
        value.get("type") == "message"
        and isinstance(stamp, str)
        and _STAMP.fullmatch(stamp) is not None
        and any(key in value for key in ("user", "bot_id", "username", "subtype"))
    )


def gather(records: Iterable[Record], reading: Reading) -> Iterator[Record]:
    """One record for every thread, in the order they begin in the file.

    Args:
        records: Messages, in any order.
        reading: May say who is the assistant; else gets the choice.

    Raises:
        DatasetError: nobody has the name that was asked for.
    """
    found = _Gathered({}, {}, {"bot_messages_dropped": 0, "unthreaded_messages_dropped": 0})
    wanted = speakers.keys(reading.options.speaker)
    for record in records:
        if record.problem is not None:
            yield record
        else:
            _sort_in(found, record.line, mapping(record.value), wanted)
    assistant = _assistant(found, reading)
    for thread in found.threads.values():
        if thread.posts:
            yield _conversation(thread, assistant, found.people)
    for code, count in found.dropped.items():
        if count:
            reading.note(Problem(code, plural(count, "message")), None)


def _assistant(found: _Gathered, reading: Reading) -> frozenset[str]:
    """Who is the assistant: who was asked for, else by rule; empty where each thread is to tell."""
    threads = [thread for thread in found.threads.values() if thread.posts]
    part = _Part.of(threads, found.people)
    names = {p: speakers.shown(next(iter(found.people.get(p, [])), p)) for p in part.answered}
    if reading.options.speaker is not None:
        chosen = speakers.stated(reading.options.speaker, found.people)
        shown = [n for p in found.people if p in chosen for n in found.people[p][:1]]
        others = [names[p] for p, _ in part.answered.most_common() if p not in chosen]
        close = False
    else:
        ranked = part.ranked()
        chosen = _team(part, ranked)
        shown = [names[p] for p in ranked if p in chosen or not chosen]
        others = [names[p] for p in ranked if p not in chosen and len(ranked) > 1]
        close = _is_open(part, chosen)
    if names:
        reading.choices["speaker"] = Choice(
            value=", ".join(speakers.shown(name) for name in shown[: speakers.SHOWN]),
            others=tuple(others[: speakers.SHOWN]),
            close=close,
            option=speakers.OPTION_OF_SEVERAL if len(names) > 1 else speakers.OPTION,
        )
    return chosen


class _Part(NamedTuple):
    """What part people have in the threads."""

    answered: Counter[str]
    """Person -> threads of others they speak in."""
    scores: Mapping[str, float]
    """Person -> those less the threads they began; who is called support answers in any case."""
    manner: Mapping[str, int]
    """Person -> threads that they speak last in, of those who answer, less the times they ask."""
    talks: Sequence[tuple[str, Sequence[str]]]
    """Who began each thread, and who answered."""

    @classmethod
    def of(cls, threads: Sequence[_Thread], people: Mapping[str, list[str]]) -> "_Part":
        talks = [(thread.begun_by(), thread.answerers()) for thread in threads]
        answered = Counter(person for _, answerers in talks for person in answerers)
        begun = Counter(starter for starter, _ in talks)
        manner = Counter(person for _, answerers in talks for person in answerers[-1:])
        manner.subtract(post.person for t in threads for post in t.posts if asks(post.text))
        named = {p for p in answered if any(speakers.SUPPORT.search(n) for n in people.get(p, []))}
        scores = {p: answered[p] - begun[p] + SUPPORT_BONUS * (p in named) for p in answered}
        return cls(answered, scores, manner, talks)

    def ranked(self) -> list[str]:
        """Who answers, the likeliest assistant first."""
        return sorted(self.answered, key=lambda p: (-self.scores[p], -self.manner.get(p, 0)))

    def alone(self, team: AbstractSet[str]) -> Counter[str]:
        """Person -> threads they answer that nobody of the team began or answered."""
        return Counter(
            person
            for starter, answerers in self.talks
            if starter not in team and team.isdisjoint(answerers)
            for person in answerers
        )


def _team(part: _Part, ranked: Sequence[str]) -> frozenset[str]:
    """Who answers most, with those who answer often or alone; who chimes in once is none of them."""
    team: set[str] = set()
    alone = part.alone(team)
    for person in ranked:
        times = part.answered[person]
        if part.scores[person] <= 0 or 2 * part.scores[person] < times:
            continue  # they begin as many threads, or nearly
        much = times >= speakers.CLOSE * part.answered[ranked[0]]
        if not team or alone[person] > 1 or (much and (alone[person] or times > 1)):
            team.add(person)
            alone = part.alone(team)
    return frozenset(team)


def _is_open(part: _Part, team: AbstractSet[str]) -> bool:
    """Whether others of those who answer could as well be of the team."""
    most = max(part.answered.values(), default=0)
    alone = part.alone(team)
    rest = (p for p in part.answered if p not in team and part.scores[p] > 0)
    return bool(part.answered) and (
        not team or any(alone[p] or part.answered[p] > speakers.CLOSE * most for p in rest)
    )


def _sort_in(
    found: _Gathered, line: int | None, value: Mapping[str, object], wanted: frozenset[str]
) -> None:
    """Put one message where it belongs, or count it."""
    stamp = moment(value.get("ts"))
    said = text(value.get("text"))
    subtype = text(value.get("subtype"))
    is_bot = _is_bot(value, subtype)
    if stamp is None or value.get("hidden") is True or (subtype not in _SAID and not is_bot):
        return
    person = identity(value.get("user")) or identity(value.get("bot_id"))
    person = person or text(value.get("username"))
    names = [*_names(value), person]
    key = (text(value.get("channel")), text(value.get("thread_ts")))
    if is_bot and wanted.isdisjoint(speakers.fold(name) for name in names):
        found.dropped["bot_messages_dropped"] += 1
        _thread(found, key, value)
        return
    if not person or not said:
        return
    if person not in found.people or len(found.people[person]) < len(names):
        found.people[person] = names
    thread = _thread(found, key, value)
    if thread is None:
        found.dropped["unthreaded_messages_dropped"] += 1
        return
    thread.posts.append(_Post(line, person, said, stamp))


def _thread(found: _Gathered, key: tuple[str, str], value: Mapping[str, object]) -> _Thread | None:
    """The message's thread, with its starter where this message tells."""
    if not key[1]:
        return None
    thread = found.threads.setdefault(key, _Thread(""))
    starter = identity(value.get("parent_user_id"))
    if key[1] == text(value.get("ts")):
        starter = identity(value.get("user"))
    thread.starter = thread.starter or starter
    return thread


def _is_bot(value: Mapping[str, object], subtype: str) -> bool:
    return (
        subtype == "bot_message"
        or bool(value.get("bot_id"))
        or isinstance(value.get("bot_profile"), Mapping)
        or value.get("user") == _SLACKBOT
    )


def _names(value: Mapping[str, object]) -> list[str]:
    """Names of who wrote a message, as far as it holds them."""
    profile = mapping(value.get("user_profile"))
    bot = mapping(value.get("bot_profile"))
    named = [text(profile.get(key)) for key in ("real_name", "display_name", "name")]
    named += [text(value.get("username")), text(bot.get("name"))]
    return list(dict.fromkeys(name for name in named if name))


def _conversation(
    thread: _Thread, assistant: frozenset[str], people: Mapping[str, list[str]]
) -> Record:
    """The thread as messages: the assistant answers, or all but the one who began it."""
    posts = thread.in_order()
    lines = [post.line for post in posts if post.line is not None]
    answers = assistant or thread.answerers()
    turns = joined(
        (
            ("assistant" if post.person in answers else "user", _plain(post.text, people))
            for post in posts
        ),
        "\n",
    )
    return Record(min(lines, default=None), {"messages": turns})


def _plain(said: str, people: Mapping[str, list[str]]) -> str:
    """Text without Slack's markup. Only `<`, `>` and `&` are escaped there."""
    bare = _BRACKETS.sub(lambda match: _bracket(match[1], match[2] or "", people), said)
    return bare.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def _bracket(target: str, label: str, people: Mapping[str, list[str]]) -> str:
    """What people see for a mention, a channel, a group, a date or a link."""
    if target.startswith("@"):
        names = people.get(target[1:], ())
        return "@" + (label or (names[0] if names else target[1:])).lstrip("@")
    if target.startswith("#"):
        return "#" + (label or target[1:])
    if target.startswith("!"):
        return label or "@" + target[1:].split("^")[0]
    address = target.removeprefix("mailto:").removeprefix("tel:")
    return label.strip() or address  # as in HTML: a link keeps its words
