"""Asking a person what a request in words left open: options to choose from, or a value to type."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import typer

from podtune.cli.console import Output, err, plain, print_line
from podtune.core.errors import ConflictError, SpecError

if TYPE_CHECKING:
    from podtune.core.plan import Plan
    from podtune.intake.understood import Question

LONGEST: Final = 1000
"""Characters of an answer."""

LEAST_LETTERS: Final = 8
"""Of a digest, to name the plan that is agreed to; as for `podtune approve`."""


def may_ask(output: Output) -> bool:
    """Whether somebody is there to answer."""
    return output is Output.HUMAN and sys.stdin.isatty()


def said(answers: Sequence[str] | None) -> dict[str, str]:
    """`--answer dataset=tickets.csv` -> field and answer.

    Raises:
        SpecError: it has no `=`, no field or no value, or is too long.
    """
    found: dict[str, str] = {}
    for text in answers or ():
        field, equals, value = text.partition("=")
        if not equals or not field.strip() or not value.strip() or len(value) > LONGEST:
            raise SpecError(
                f"--answer {text[:100]!r} is no answer",
                code="bad_answer",
                hint="write --answer FIELD=VALUE, such as --answer dataset=tickets.csv",
            )
        found[field.strip()] = value.strip()
    return found


def refuse_open(questions: Sequence["Question"], digest: str | None = None) -> None:
    """Raise where nobody is there to answer what is open.

    Raises:
        SpecError: `answers_needed` where something must be said, `confirm_needed` where it is assumed.
    """
    if not questions:
        return
    must = [q for q in questions if q.must]
    shown = must or questions
    told = "; ".join(f"{q.field}: {q.text}" for q in shown)
    ways = " ".join(f"--answer {q.field}={_example(q)}" for q in shown)
    raise SpecError(
        f"nobody is here to answer: {told}" if must else f"this is assumed: {told}",
        code="answers_needed" if must else "confirm_needed",
        hint=f"add {ways}" if must else f"{_agree(digest)}; to say it yourself: {ways}",
        context={
            "questions": [q.model_dump(mode="json") for q in shown],
            **({"digest": digest} if digest else {}),
        },
    )


def refuse_other(digest: str, plan: "Plan") -> None:
    """Raise where what was agreed to beforehand is not this plan.

    Raises:
        ConflictError: code `plan_changed`.
    """
    if len(digest) < LEAST_LETTERS or not plan.digest.startswith(digest.lower()):
        raise ConflictError(
            f"this is plan {plan.digest[:12]}, not {digest[:12]!r}",
            code="plan_changed",
            hint=f"{_agree(plan.digest)}; {LEAST_LETTERS} letters at least",
            context={"digest": plan.digest},
        )


def confirm_start(plan: "Plan", output: Output, *, yes: bool) -> None:
    """A plan made of words starts only when somebody agreed to it, whether it costs anything or not.

    Raises:
        SpecError: `confirm_needed`: nobody is there to be asked, and nobody agreed beforehand.
        typer.Abort: they did not agree.
    """
    from podtune.cli import money
    from podtune.core.units import duration

    if yes:
        return
    what = f"plan {plan.digest[:12]}"
    if not may_ask(output):
        where = "on this machine" if plan.price is None else money.words(plan)
        raise SpecError(
            f"nobody is here to agree to {what}: {where}",
            code="confirm_needed",
            hint=_agree(plan.digest),
            context={"digest": plan.digest},
        )
    if plan.price is not None:
        money.confirm(plan, yes=False)
        return
    takes = duration(plan.time.total_s)
    typer.confirm(f"Start {what} on this machine, about {takes}?", abort=True, err=True)


def _agree(digest: str | None) -> str:
    """How somebody agrees beforehand."""
    named = f" or --digest {digest[:12]}" if digest else ""
    return f"read the plan, then add --yes{named}"


def answer(question: "Question") -> str:
    """Show what can be meant, and wait: for a number or a value; Enter takes what is assumed."""
    console = err()
    values = [o.value for o in question.options]
    has_numbers = _is_numbered(values)
    print_line(console, f"[bold]{_line(question.field)}[/]  {_line(question.text)}")
    for number, option in enumerate(question.options, start=1):
        mark = f"[bold]{number}[/]" if has_numbers else "[bold]-[/]"
        why = f"  [dim]{_line(option.why)}[/]" if option.why else ""
        print_line(console, f"  {mark} {_line(option.label)}{why}")
    assumed = None if question.must or not values else "1" if has_numbers else values[0]
    prompt = f"which, 1 to {len(values)}, or another" if has_numbers else "your answer"
    while True:
        typed = str(
            typer.prompt(prompt, default=assumed or "", show_default=bool(assumed), err=True)
        )
        meant = _meant(typed.strip(), question, has_numbers=has_numbers)
        if meant:
            return meant
        print_line(console, f"type {prompt.removeprefix('which, ')}; Ctrl-C leaves")


def _line(text: str) -> str:
    """Foreign text in one line: a file's name must not look like another choice."""
    return plain(" ".join(text.split()))


def answered(questions: Sequence["Question"], answers: Mapping[str, str]) -> dict[str, str]:
    """All answers, with those to these questions."""
    return {**answers, **{q.field: answer(q) for q in questions}}


def _is_numbered(values: Sequence[str]) -> bool:
    """Whether a number can only mean an option: values that are numbers themselves are typed."""
    return bool(values) and not any(v.replace(".", "", 1).isdecimal() for v in values)


def _meant(typed: str, question: "Question", *, has_numbers: bool) -> str | None:
    """The value that was typed; None where it is nothing, or a number that no option has."""
    if not typed or len(typed) > LONGEST:
        return None
    options = question.options
    if has_numbers and typed.isdecimal():
        return options[int(typed) - 1].value if 1 <= int(typed) <= len(options) else None
    folded = typed.casefold()
    named = (o.value for o in options if folded in (o.label.casefold(), o.value.casefold()))
    return next(named, typed)


def _example(question: "Question") -> str:
    """A value that would do."""
    if not question.options:
        return "..."
    first = question.options[0]
    return shlex.quote(first.label if question.field == "dataset" else first.value)
