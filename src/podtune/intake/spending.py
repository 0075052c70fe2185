"""What a request says of money and time -> ceilings of the spec, and questions where it is not usable as one.

A ceiling is stated in dollars for the whole job, or it is asked for: nothing is converted, nothing is guessed,
and an answer never raises what the words allow.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple, TypeGuard

from podtune.core.errors import SpecError
from podtune.intake.understood import Option, Question
from podtune.intake.words.candidates import Value
from podtune.intake.words.parse import ParsedRequest, parse

MAX_USD: Final = "where.max_usd"
MAX_HOURS: Final = "where.max_hours"

_AMOUNT: Final = re.compile(
    r"\$?\s{0,3}(\d{1,7}(?:\.\d{1,6})?)\s{0,3}(?:\$|usd|us dollars?|dollars?|bucks)?", re.IGNORECASE
)
_PIECES: Final = re.compile(r"[;\n]|[,.]\s|\b(?:but|and|aber|und|mais|et|pero|y|ma|mas|e)\b")
_MOST_PIECES: Final = 40
"""Pieces of a contradicting request that are read again: longer ones are asked about without a bound."""

_HOURLY: Final = {"per_hour": "an hour", "per_gpu_hour": "a card and hour"}


class Limits(NamedTuple):
    """What may be spent, as far as it is known."""

    stated: Mapping[str, object]
    assumed: Mapping[str, tuple[object, str]]
    questions: tuple[Question, ...]
    told: tuple[str, ...]


def money(parsed: ParsedRequest, text: str, answers: Mapping[str, str]) -> Limits:
    """The ceiling in dollars.

    Raises:
        SpecError: an answer that is no amount; code `bad_answer`.
    """
    fields = parsed.fields
    caps = _caps(parsed, text)
    answer = _answered(answers.get("budget"))
    if answer is not None:
        least = min((answer, *caps))
        lower = f"the request allows ${least:g} at most: the answer ${answer:g} does not raise it"
        return Limits({MAX_USD: least}, {}, (), (lower,) if least < answer else ())
    unusable = _unusable(parsed)
    if unusable:
        options = tuple(
            Option(value=f"{cap:g}", label=f"${cap:g}", why="named in the request, the lowest")
            for cap in sorted(caps)[:1]
        )
        return Limits({}, {}, (_asked(unusable, options),), ())
    amount = fields.get("budget_amount")
    if not _is_number(amount):
        return Limits({}, {}, (), ())
    if fields.get("budget_kind") == "approx":
        why = f"the amount was said to be about ${amount:g}: taken as the most it may cost"
        option = Option(value=f"{amount:g}", label=f"${amount:g}", why="as the most it may cost")
        question = Question(field="budget", text=why, options=(option,), must=False)
        return Limits({}, {MAX_USD: (amount, why)}, (question,), ())
    return Limits({MAX_USD: amount}, {}, (), ())


def time(fields: Mapping[str, Value], answers: Mapping[str, str], now: datetime) -> Limits:
    """The longest time, and the hours that are left until a deadline.

    Raises:
        SpecError: an answer that is no number of hours; code `bad_answer`.
    """
    hours = fields.get("max_hours")
    stated: dict[str, object] = {} if hours is None else {MAX_HOURS: hours}
    moment = fields.get("deadline")
    if moment is None:
        return Limits(stated, {}, (), ())
    left = _hours_until(str(moment), now)
    most = min(left, float(hours)) if _is_number(hours) else left
    answer = _hours_answered(answers.get("deadline"))
    if answer is not None:
        return Limits({MAX_HOURS: min(answer, most) if most > 0 else answer}, {}, (), ())
    if left <= 0:
        text = f"{moment} has passed: after how many hours is the job to end at the latest?"
        return Limits(stated, {}, (Question(field="deadline", text=text, must=True),), ())
    why = f"a deadline as such is not built: from now until {moment} are {left:g} hours, and the job ends there with what is trained"
    option = Option(
        value=f"{most:g}", label=f"{most:g} hours", why="then it ends, with what is trained saved"
    )
    question = Question(field="deadline", text=why, options=(option,), must=False)
    return Limits({}, {MAX_HOURS: (most, why)}, (question,), ())


def _unusable(parsed: ParsedRequest) -> str:
    """Why what is said of money is no ceiling; empty where it is one, or nothing is said."""
    fields = parsed.fields
    amount, currency, scope = (fields.get(f"budget_{p}") for p in ("amount", "currency", "scope"))
    if "budget" in (*parsed.must_ask, *parsed.conflicts):
        return "what is said of money is no amount, or there are two"
    if not _is_number(amount):
        return ""
    if scope in _HOURLY:
        return f"{amount:g} {currency or ''} for {_HOURLY[str(scope)]} limits a price, not the job; there is no ceiling of that kind".replace(
            "  ", " "
        )
    if currency != "USD":
        return f"{amount:g} {currency or 'of a currency that is not named'}: the ceiling is in US dollars, and nothing is converted"
    return ""


def _asked(why: str, options: tuple[Option, ...]) -> Question:
    text = f"{why}. How many US dollars may the whole job cost at most?"
    return Question(field="budget", text=text, options=options, must=True)


def _caps(parsed: ParsedRequest, text: str) -> list[float]:
    """Every total in dollars that the words state; where they contradict each other, read piece by piece."""
    found = [_cap(parsed.fields)]
    if found == [None] and "budget" in (*parsed.must_ask, *parsed.conflicts):
        pieces = [p for p in _PIECES.split(text) if any(c.isdigit() for c in p)]
        found = [_cap(parse(piece).fields) for piece in pieces[:_MOST_PIECES]]
    return [cap for cap in found if cap is not None]


def _cap(fields: Mapping[str, Value]) -> float | None:
    amount = fields.get("budget_amount")
    usable = fields.get("budget_currency") == "USD" and fields.get("budget_scope") == "total"
    return float(amount) if usable and isinstance(amount, int | float) else None


def _answered(answer: str | None) -> float | None:
    if answer is None:
        return None
    match = _AMOUNT.fullmatch(answer.strip())
    if match is None:
        raise SpecError(
            f"budget: {answer[:60]!r} is no amount of US dollars",
            code="bad_answer",
            hint="such as budget=5",
        )
    return float(match[1])


def _hours_answered(answer: str | None) -> float | None:
    if answer is None:
        return None
    match = re.fullmatch(r"(\d{1,4}(?:\.\d{1,4})?)\s{0,3}(?:h|hours?)?", answer.strip())
    if match is None or not float(match[1]):
        raise SpecError(
            f"deadline: {answer[:60]!r} is no number of hours",
            code="bad_answer",
            hint="such as deadline=4",
        )
    return float(match[1])


def _hours_until(moment: str, now: datetime) -> float:
    """Hours from now, rounded down to a tenth; a day without a time ends at midnight."""
    text = moment if "T" in moment else f"{moment}T23:59"
    try:
        until = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    return int((until - now.replace(tzinfo=None)).total_seconds() / 360) / 10


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
