"""What a request in words leaves open of its data and its plan, as questions with their choices.

Takes what the locator found and what the plan says it lacks; asks nobody and chooses nothing.
"""

import difflib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, cast

from podtune.app.locate import Candidate, Located
from podtune.core.errors import PodtuneError, SpecError
from podtune.intake.homes import HOMES
from podtune.intake.understand import understand
from podtune.intake.understood import Option, Question, Understood
from podtune.intake.words.parse import ParsedRequest

DATASET: Final = "dataset"

MOST_OPTIONS: Final = 9
"""Choices of a question: one key each."""

_CHOICES: Final = {
    "prompt_column": "data.columns.prompt",
    "response_column": "data.columns.completion",
}
"""What of the data may be open -> the field that says it; the others are called as their field is."""

_NAMED: Final = ("speaker", "sheet", "member")


def in_order(questions: Sequence[Question]) -> tuple[Question, ...]:
    """What must be answered first; each field once."""
    once: dict[str, Question] = {}
    for question in questions:
        once.setdefault(question.field, question)
    return tuple(sorted(once.values(), key=lambda q: not q.must))


def about_data(located: Located | None, hint: str | None, *, is_taken: bool) -> Question:
    """Which data is meant: the candidates, or what was looked at and what to do next."""
    what = f"{hint!r}" if hint else "the data"
    if located is None:
        return Question(
            field=DATASET, must=True, text=f"where is {what}? An uploaded file or an address"
        )
    found = located.fitting or located.others
    shown = found[:MOST_OPTIONS]
    options = tuple(Option(value=c.source, label=c.shown, why=c.words) for c in shown)
    if is_taken:
        text = f"{shown[0].shown} is taken for {what}"
    elif located.fitting:
        text = f"which of these is {what}?" if len(shown) > 1 else f"is this {what}?"
    elif shown:
        text = f"no name here fits {what}; is it one of these?"
    else:
        found_none = f"no data for {what}" if hint else "no data"
        text = f"{found_none}: {located.looked}; name a file or an address"
    if len(found) > len(shown):
        text += f" ({len(found) - len(shown)} more are not shown: name the file)"
    if located.unfit and not located.fitting:
        text += f" (left out: {'; '.join(located.unfit[:3])})"
    return Question(field=DATASET, text=text, options=options, must=not is_taken)


def chosen(answer: str, located: Located | None) -> Candidate | None:
    """The candidate that a number or a name means."""
    shown = (located.fitting or located.others)[:MOST_OPTIONS] if located else ()
    if answer.isdecimal() and 1 <= int(answer) <= len(shown):
        return shown[int(answer) - 1]
    return next((c for c in shown if answer in (c.shown, c.source)), None)


def refuse_unasked(given: Mapping[str, str]) -> None:
    """Raise where an answer has the name of no question: a ceiling that is misspelt must not be lost.

    Raises:
        SpecError: code `bad_answer`.
    """
    known = {DATASET, "base_model", "budget", "job", *_CHOICES.values(), *_NAMED, *HOMES}
    wrong = [name for name in given if name not in known]
    if wrong:
        like = difflib.get_close_matches(wrong[0], sorted(known), 1, cutoff=0.75)
        raise SpecError(
            f"no question is called {wrong[0][:60]!r}",
            code="bad_answer",
            hint=f"did you mean {like[0]!r}?"
            if like
            else "a question's name is told with it; other fields of the spec: --set, or in the sentence",
        )


def with_idle(
    heard: Understood,
    read: ParsedRequest,
    sentence: str,
    given: Mapping[str, str],
    now: datetime | None,
) -> Understood:
    """The same, with answers that change nothing told: who believes in a limit has to see that there is none."""
    idle = [
        name
        for name in given
        if name in HOMES
        and heard
        == understand(read, sentence, {n: a for n, a in given.items() if n != name}, now=now)
    ]
    words = tuple(f"the answer to {name!r} changes nothing: it is not asked" for name in idle)
    return heard.model_copy(update={"told": (*heard.told, *words)}) if words else heard


def picked(given: Mapping[str, str]) -> dict[str, object]:
    """What was answered of how the data is read, by spec path."""
    columns: dict[str, object] = {p: given[p] for p in _CHOICES.values() if p in given}
    return columns | {f"data.{name}": given[name] for name in _NAMED if name in given}


def of_error(error: PodtuneError) -> Question | None:
    """What a plan lacks that a person can say."""
    context = error.context
    if error.code == "budget_needed":
        usd = str(context["suggested_usd"])
        return Question(
            field="budget", text=error.message, must=True,
            options=(Option(value=usd, label=f"${usd}", why="suggested: it ends there at the latest"),),
        )  # fmt: skip
    if error.code == "model_needed" and "suggested_model" in context:
        name = str(context["suggested_model"])
        option = Option(value=name, label=name, why="suggested")
        return Question(field="base_model", text=error.message, options=(option,), must=True)
    if error.code != "choice_needed":
        return None
    name, others = str(context["choice"]), cast("list[object]", context["others"])
    values = [str(context["taken"]), *map(str, others)]
    options = tuple(Option(value=v, label=v) for v in values[:MOST_OPTIONS])
    return Question(field=_CHOICES.get(name, name), text=error.message, options=options, must=True)
