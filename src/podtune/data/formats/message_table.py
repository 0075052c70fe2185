"""Tables with one message a row: rows of one conversation become one record.

Who speaks is told by the sender's role; where only names stand there, by who was asked for, or by who
answers. Internal notes, bots beside people and what the software writes are left out. Knows no files;
holds the messages.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Final, NamedTuple, cast

from podtune.core.dataset import Choice
from podtune.core.errors import DatasetError
from podtune.core.units import plural
from podtune.data.formats import message_columns as table
from podtune.data.formats import speaker as speakers
from podtune.data.formats.exchanges import Utterance, answering
from podtune.data.formats.fields import joined, moment, plain
from podtune.data.formats.quoting import without_quotes
from podtune.data.record import Problem, Reading, Record

NAME: Final = "message_table"

LOOK: Final = 200
"""Rows by which columns and forms of time are told."""

_FORMS: Final = tuple(
    f"{day} {clock}"
    for day in ("%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y", "%m/%d/%Y", "%d/%m/%y", "%m/%d/%y", "%d-%m-%Y", "%Y/%m/%d")
    for clock in ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p")
)  # fmt: skip
"""Times as tables have them besides ISO, the day before the month."""

Row = Mapping[str, object]


class _Said(NamedTuple):
    """One message of a table."""

    line: int | None
    talk: str
    senders: tuple[str, ...]
    """What stands in the columns that may say who speaks."""
    text: str
    times: tuple[str, ...]
    is_note: bool


def fits_header(header: Sequence[str]) -> bool:
    """Whether names tell conversation, sender and text, and no question beside its answer."""
    return table.fits_header(header)


def reason(rows: Sequence[Row]) -> str | None:
    """Why rows are taken for single messages; None where they are not."""
    found = table.by_rows(rows)
    if found is None:
        return None
    sender = table.sender_of(found, rows)
    shown = f"{found.conversation!r}, {sender!r} and {found.text!r}"
    return f"each row is one message: {shown} tell its conversation, sender and text"


def gather(records: Iterable[Record], reading: Reading) -> Iterator[Record]:
    """One record for every conversation, in the order they begin in the table.

    Args:
        records: Rows, in any order where a column has the time.
        reading: May say who is the assistant; gets the choice.

    Raises:
        DatasetError: nobody has the name that was asked for.
    """
    rows: list[Record] = []
    stream = iter(records)
    for record in stream:
        if isinstance(record.value, dict):
            rows.append(record)
        else:
            yield record
        if len(rows) == LOOK:
            break
    head = [cast("Row", row.value) for row in rows]
    found = table.by_names(table.header_of(head))
    if found is None:
        detail = "none that tells conversation, sender and text"
        problem = Problem("missing_column", detail)
        yield from (row._replace(value=None, problem=problem) for row in chain(rows, stream))
        return
    said: list[_Said] = []
    for record in chain(rows, stream):
        if isinstance(record.value, dict):
            said.append(_said(record.line, cast("Row", record.value), found))
        else:
            yield record
    sender = table.sender_of(found, head) or found.senders[0]
    yield from _conversations(said, found, sender, reading)


def _said(line: int | None, row: Row, found: table.Columns) -> _Said:
    return _Said(
        line,
        table.cell(row.get(found.conversation)),
        tuple(table.cell(row.get(name)) for name in found.senders),
        table.cell(row.get(found.text)),
        tuple(table.cell(row.get(name)) for name in found.times),
        any(table.is_note(name, table.cell(row.get(name))) for name in found.notes),
    )


def _conversations(
    said: Sequence[_Said], found: table.Columns, sender: str, reading: Reading
) -> Iterator[Record]:
    dropped = {"internal_notes_dropped": 0, "bot_messages_dropped": 0}
    dropped["unthreaded_messages_dropped"] = sum(bool(part.text) and not part.talk for part in said)
    in_order = _by_time([part for part in said if part.text and part.talk])
    at = found.senders.index(sender)
    open_ = [part for part in in_order if not part.is_note]
    role = _roles(open_, at, reading)
    talks: dict[str, list[tuple[str, str]]] = {part.talk: [] for part in said if part.talk}
    lines: dict[str, int | None] = {}
    for part in said:
        lines.setdefault(part.talk, part.line)
    for part in in_order:
        who = "note" if part.is_note else role(part)
        if who in {"user", "assistant", "system"}:
            talks[part.talk].append((who, _text(part.text, found, reading)))
        else:
            code = "internal_notes_dropped" if who == "note" else "bot_messages_dropped"
            dropped[code] += 1
    for talk, turns in talks.items():
        if turns:
            yield Record(lines[talk], {"messages": joined(turns, "\n")})
    for code, count in dropped.items():
        if count:
            reading.note(Problem(code, plural(count, "message")), None)


def _text(raw: str, found: table.Columns, reading: Reading) -> str:
    """What was written: without HTML, and in mails without quotes and signatures."""

    def note(problem: Problem) -> None:
        reading.note(problem, None)

    text = raw if "```" in raw else plain(raw, note)
    if not found.is_mail:
        return text
    text, stripped = without_quotes(text)
    if stripped:
        note(Problem("quoted_text_stripped"))
    return text


def _roles(said: Sequence[_Said], at: int, reading: Reading) -> Callable[[_Said], str | None]:
    """Who speaks in a message: as was asked for, as roles say, else by who answers."""
    if reading.options.speaker is not None:
        at, answer = _stated(said, at, reading.options.speaker)
        return lambda part: "assistant" if part.senders[at] in answer else _other(part.senders[at])
    counts = Counter(part.senders[at] for part in said)
    kinds = {value: table.kind_of(value) if value else "event" for value in counts}
    present = set(kinds.values())
    if "bot" in present and "assistant" not in present:
        kinds = {value: "assistant" if kind == "bot" else kind for value, kind in kinds.items()}
        present = set(kinds.values())
    if present & {"user", "assistant"}:
        rest = "user" if "assistant" in present else "assistant"
        instructs = {"user", "assistant"} <= {value.casefold() for value in kinds}
        roles = {value: kind or rest for value, kind in kinds.items()}
        if instructs:
            roles.update({v: "system" for v in roles if v.casefold() in {"system", "developer"}})
        _show(roles, counts, reading)
        return lambda part: roles.get(part.senders[at])
    chosen = _by_rule(said, at, reading)
    return lambda part: "assistant" if part.senders[at] == chosen else _other(part.senders[at])


def _other(sender: str) -> str:
    """Who somebody is that is not the assistant."""
    kind = table.kind_of(sender) if sender else "event"
    return kind if kind in {"bot", "event", "note"} else "user"


def _stated(said: Sequence[_Said], at: int, wanted: str) -> tuple[int, frozenset[str]]:
    """The column in which the people stand who were asked for, and how they are called there."""
    width = len(said[0].senders) if said else 0
    error: DatasetError | None = None
    for column in sorted(range(width), key=lambda n: n != at):
        people = {part.senders[column]: (part.senders[column],) for part in said}
        people.pop("", None)
        try:
            return column, speakers.stated(wanted, people)
        except DatasetError as caught:
            error = error or caught
    raise error or speakers.unknown(wanted, ())


def _show(roles: Mapping[str, str], counts: Counter[str], reading: Reading) -> None:
    """Put on record whose messages are taken for the assistant's."""
    ranked = [value for value, _ in counts.most_common()]
    answer = [speakers.shown(value) for value in ranked if roles[value] == "assistant"]
    others = [speakers.shown(value) for value in ranked if roles[value] == "user"]
    if answer:
        value = ", ".join(answer[: speakers.SHOWN])
        option = speakers.OPTION if len(answer) == 1 else speakers.OPTION_OF_SEVERAL
        reading.choices["speaker"] = Choice(
            value=value, others=tuple(others[: speakers.SHOWN]), option=option
        )


def _by_rule(said: Sequence[_Said], at: int, reading: Reading) -> str | None:
    """Who answers most, over all conversations."""
    talks: dict[str, list[Utterance]] = {}
    scores: dict[str, float] = {}
    for part in said:
        if _other(part.senders[at]) == "user":
            scores.setdefault(part.senders[at], 0.0)
            utterance = Utterance(part.line, part.senders[at], part.text)
            talks.setdefault(part.talk, []).append(utterance)
    for talk in talks.values():
        opener = talk[0].speaker
        for person, score in answering(talk).items():
            scores[person] += score - (person == opener)
    return speakers.by_rule(reading, scores, {person: person for person in scores})


def _by_time(said: list[_Said]) -> list[_Said]:
    """Messages by their time, where every one has it in a form that is known; else as they stand."""
    width = len(said[0].times) if said else 0
    both: list[tuple[int, ...]] = [(0, 1), (1, 0)] if width > 1 else []
    for places in [*both, *((n,) for n in range(width))]:
        texts = [" ".join(part.times[n] for n in places) for part in said]
        known = _moments(texts)
        if known is not None:
            order = sorted(range(len(said)), key=known.__getitem__)
            return [said[n] for n in order]
    return said


def _moments(texts: Sequence[str]) -> list[float] | None:
    """Seconds of times that are all of one form; None where one is not."""
    for form in (None, *_FORMS):
        if any(_moment(text, form) is None for text in texts[:LOOK]):
            continue
        found = [seconds for text in texts if (seconds := _moment(text, form)) is not None]
        if len(found) == len(texts):
            return found
    return None


def _moment(text: str, form: str | None) -> float | None:
    if form is None:
        return moment(text.removesuffix(" UTC"))
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None
