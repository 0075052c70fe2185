"""A parsed request and the answers to its questions -> what is stated, assumed, open and refused, in the spec's words.

Pure: reads no file, no setting and no network. `homes.HOMES` says what becomes of each field. What is stated is
what somebody said; a look-up is assumed, with its reason; money and privacy are asked, never guessed. Whether the
data exists, whether anything fits and what it costs is for the locator and the plan to say.
"""

import shlex
from collections.abc import Mapping
from datetime import datetime

from podtune.core.clock import utc_now
from podtune.intake import (
    data_named,
    model_named,
    objections,
    output_said,
    placing,
    spending,
    training_said,
)
from podtune.intake.homes import HINTS
from podtune.intake.quoting import one_line
from podtune.intake.sheet import Sheet
from podtune.intake.understood import NOT_TRAINING, Option, Question, Refusal, Understood
from podtune.intake.words.parse import ParsedRequest

__all__ = ["Option", "Question", "Refusal", "Understood", "understand"]


def understand(
    parsed: ParsedRequest,
    text: str,
    answers: Mapping[str, str] | None = None,
    *,
    now: datetime | None = None,
) -> Understood:
    """What a request comes to.

    Args:
        parsed: What the parser found in `text`, or a model proposed and the parser checked.
        text: The request as it was typed.
        answers: Field of a question -> its answer: a value, an option's label, or its number. Answers to what
            is not known here, such as `dataset`, are another's and passed over.
        now: Local time that deadlines are counted from; the machine's where it is not given.

    Raises:
        SpecError: code `bad_answer`: an answer that says nothing.
    """
    intent = str(parsed.fields.get("intent", "other"))
    refused = objections.refusals(parsed)
    sheet = Sheet(parsed, text, answers or {})
    if intent == "check_data" and not refused:
        data_named.data(sheet)
    elif intent not in NOT_TRAINING and not refused:
        _training(sheet, intent, now or utc_now().astimezone().replace(tzinfo=None))
    return _understood(sheet, intent, refused)


def _training(sheet: Sheet, intent: str, now: datetime) -> None:
    """Everything of a training, in the order in which one thing decides another."""
    training_said.settle(sheet)
    place = placing.place(sheet, intent)
    rents = place is None or place.is_rented
    is_open = place is None or "base_model" in sheet.must_ask
    likely = bool(HINTS & set(sheet.fields)) or "base_model" in sheet.must_ask if is_open else rents
    model_named.base_model(sheet, rented=likely)
    data_named.data(sheet)
    training_said.plain(sheet, rented=rents)
    training_said.batch(sheet)
    training_said.evaluation(sheet)
    placing.machine(sheet, place)
    money = spending.money(sheet.parsed, sheet.text, sheet.answers)
    _limits(sheet, money, () if "budget" in sheet.answers else ("budget_amount",))
    time = spending.time(sheet.fields, sheet.answers, now)
    _limits(sheet, time, () if "deadline" in sheet.answers else ("deadline", "max_hours"))
    output_said.output(sheet)
    sheet.tell(*objections.remarks(sheet.parsed._replace(fields=sheet.fields), rented=rents))


def _limits(sheet: Sheet, limits: spending.Limits, fields: tuple[str, ...]) -> None:
    """Take ceilings over, with the words of the fields they were read from."""
    for path, value in limits.stated.items():
        sheet.say(path, value, *fields)
    for path, (value, why) in limits.assumed.items():
        sheet.assume(path, value, why, *fields)
    sheet.questions += limits.questions
    sheet.tell(*limits.told)


def _understood(sheet: Sheet, intent: str, refused: tuple[Refusal, ...]) -> Understood:
    assumed = {path: entry for path, entry in sheet.assumed.items() if path not in sheet.stated}
    known = {*sheet.stated, *assumed}
    hint, job = sheet.fields.get("dataset_hint"), sheet.fields.get("job_id")
    return Understood(
        intent=intent,
        stated=sheet.stated,
        quotes={path: words for path, words in sheet.quotes.items() if path in known},
        assumed=assumed,
        questions=sheet.open_questions(),
        refusals=refused,
        told=sheet.told,
        data_hint=str(hint)[:200] if hint and "data.source" not in sheet.stated else None,
        job_id=None if job is None else str(job),
        command=None if refused else _command(sheet, intent),
    )


def _command(sheet: Sheet, intent: str) -> str | None:
    """What to type for an intent that plans nothing."""
    job = sheet.fields.get("job_id")
    if intent == "status":
        return "podtune jobs" if job is None else f"podtune status {shlex.quote(str(job))}"
    if intent == "stop":
        return f"podtune cancel {'JOB' if job is None else shlex.quote(str(job))}"
    if intent == "check_data":
        ref = str(sheet.fields.get("dataset_ref", "FILE"))
        return f"podtune data check {shlex.quote(one_line(ref) if '://' in ref else ref)}"
    return None
