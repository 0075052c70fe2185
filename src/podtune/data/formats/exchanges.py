"""A stream of chat messages -> exchanges: what others say, then what the assistant answers.

Takes messages with speaker and time. Knows no format.
"""

# ruff: noqa: RUF001 (letters and marks of other scripts are meant)
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from podtune.core.units import plural
from podtune.data.formats.speaker import SUPPORT
from podtune.data.record import Problem, Reading, Record

GAP_SECONDS: Final = 6 * 3600
"""A longer silence ends an exchange: within a working day people come back to a question after a
meal or a meeting, and a night apart they begin a new one."""

MAX_RUN: Final = 500
"""Messages of one run; a longer one is no question that somebody answers."""

SUPPORT_BONUS: Final = 1_000_000.0
"""Who is called support answers, whatever the counts say; more than any chat counts."""


class Utterance(NamedTuple):
    """One message of a chat."""

    line: int | None
    speaker: str
    """Who says it; one person is always spelled alike."""
    text: str
    times: tuple[float | None, ...] = ()
    """Seconds, once for every way to read an ambiguous date."""


def far(before: Utterance, after: Utterance) -> bool:
    """Whether the silence between two messages ends an exchange, however dates are read."""
    pairs = zip(before.times, after.times, strict=False)
    gaps = [abs(b - a) for a, b in pairs if a is not None and b is not None]
    return bool(gaps) and min(gaps) > GAP_SECONDS


def asks(text: str) -> bool:
    """Whether a message holds a question mark."""
    return any(mark in text for mark in "?？؟")


def answering(said: Sequence[Utterance]) -> dict[str, float]:
    """How much each person answers rather than asks, in the order they first speak.

    Closing a talk and following another's question count for a person, opening a talk and asking
    against; a name such as Support outweighs both.
    """
    scores: dict[str, float] = {}
    for at, utterance in enumerate(said):
        speaker = utterance.speaker
        if speaker not in scores:
            scores[speaker] = SUPPORT_BONUS if SUPPORT.search(speaker) else 0.0
        before = said[at - 1] if at else None
        if before is None or far(before, utterance):
            scores[speaker] -= 1
            if before is not None:
                scores[before.speaker] += 1
        elif before.speaker != speaker and asks(before.text):
            scores[speaker] += 1
        if asks(utterance.text):
            scores[speaker] -= 1
    if said:
        scores[said[-1].speaker] += 1
    return scores


def exchanges(
    said: Iterable[Utterance], is_assistant: Callable[[Utterance], bool], reading: Reading
) -> Iterator[Record]:
    """One record for every run of others that the assistant answers.

    What nobody answers, and what the assistant says unasked, is left out and counted.
    """
    asked: list[Utterance] = []
    answered: list[Utterance] = []
    last: Utterance | None = None
    lost = 0
    for utterance in said:
        speaks = is_assistant(utterance)
        apart = last is not None and far(last, utterance)
        if apart or (answered and not speaks) or len(asked) + len(answered) >= MAX_RUN:
            if asked and answered:
                yield _record(asked, answered)
            else:
                lost += len(asked)
            asked, answered = [], []
        if not speaks:
            asked.append(utterance)
        elif asked:
            answered.append(utterance)
        else:
            lost += 1
        last = utterance
    if asked and answered:
        yield _record(asked, answered)
    else:
        lost += len(asked)
    if lost:
        reading.note(Problem("unthreaded_messages_dropped", plural(lost, "message")), None)


def _record(asked: Sequence[Utterance], answered: Sequence[Utterance]) -> Record:
    messages = [
        {"role": "user", "content": "\n".join(part.text for part in asked)},
        {"role": "assistant", "content": "\n".join(part.text for part in answered)},
    ]
    return Record(asked[0].line, {"messages": messages})
