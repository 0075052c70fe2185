"""Asking a person about money: the ceiling, the model that is worth it, and whether to start."""

import sys
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

import typer

from podtune.cli.console import Output, err, plain, print_line
from podtune.core.errors import PodtuneError, SpecError

if TYPE_CHECKING:
    from podtune.core.plan import Plan, PriceEstimate

_ASKED: Final = {"budget_needed": "where.max_usd", "model_needed": "base_model.name"}
"""Errors that a person can answer -> the field that is missing."""

MOST_USD: Final = Decimal(10_000)
"""A larger ceiling is taken for a slip of the finger; `--budget` takes any."""


def may_ask(error: PodtuneError, output: Output) -> bool:
    """Whether an error asks for something about money, and somebody is there to answer."""
    return error.code in _ASKED and output is Output.HUMAN and sys.stdin.isatty()


def ask(error: PodtuneError) -> tuple[str, object]:
    """Show what is needed and wait for it; the field and what was typed for it."""
    console = err()
    print_line(console, plain(error.message))
    path = _ASKED[error.code]
    if path == "base_model.name":
        suggested = str(error.context["suggested_model"])
        return path, str(typer.prompt("base model", default=suggested, err=True)).strip()
    while True:
        suggested = str(error.context["suggested_usd"])
        typed = str(typer.prompt("ceiling in dollars", default=suggested, err=True))
        amount = _dollars(typed)
        if amount is not None:
            return path, float(amount)
        print_line(console, f"type an amount over 0 and up to {MOST_USD:,}, such as {suggested}")


def _dollars(typed: str) -> Decimal | None:
    """An amount as people type it; None where it is none."""
    try:
        amount = Decimal(typed.strip().removeprefix("$"))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 < amount <= MOST_USD else None


def confirm(plan: "Plan", *, yes: bool) -> None:
    """A rented job starts only when somebody agreed to its plan and its ceiling.

    Raises:
        SpecError: nobody is there to be asked, and `--yes` was not given.
        typer.Abort: they did not agree.
    """
    if plan.price is None or yes:
        return
    if not sys.stdin.isatty():
        raise SpecError(
            f"this rents {words(plan)}; nobody is here to agree to plan {plan.digest[:12]}",
            code="confirm_needed",
            hint="read the plan (podtune plan), then add --yes",
            context={"digest": plan.digest},
        )
    question = f"Rent {_machines(plan.price)} for plan {plan.digest[:12]}: {_figures(plan.price)}?"
    typer.confirm(question, abort=True, err=True)


def words(plan: "Plan") -> str:
    """What a rented plan rents first, and what it may cost: `NVIDIA L4: about $0.40, p90 ...`."""
    assert plan.price is not None
    return f"{plan.price.first.offer.name}: {_figures(plan.price)}"


def confirm_public(plan: "Plan", *, yes: bool) -> None:
    """An adapter becomes public only when somebody typed where, or said `--yes` beside it.

    Raises:
        SpecError: nobody is there to be asked, and `--yes` was not given.
        typer.Abort: something else was typed.
    """
    if not plan.spec.deliver.public or yes:
        return
    from podtune.app import targets

    name = (plan.spec.deliver.to or "").removeprefix("hf://")
    what = "deliver.public: " + "; ".join(targets.public_words(plan.spec))
    if not sys.stdin.isatty():
        raise SpecError(what, code="confirm_needed", hint="add --yes, or leave deliver.public away")
    print_line(err(), plain(what))
    if str(typer.prompt(f"type {name} to agree", default="", err=True)).strip() != name:
        raise typer.Abort


def _figures(price: "PriceEstimate") -> str:
    from podtune.planning.price import money

    first = price.first
    return f"about {money(first.usd_p50)}, p90 {money(first.usd_p90)}, never over {money(price.max_usd)}"


def _machines(price: "PriceEstimate") -> str:
    """The first machine of the ladder, and that there are others."""
    others = len(price.ladder) - 1
    behind = f" (or one of {others} others)" if others > 1 else " (or one other)" if others else ""
    count = f"{price.first.offer.count} x " if price.first.offer.count > 1 else ""
    return f"{count}{price.first.offer.name}{behind}"
