"""The form of a new training: what was typed, as a request."""

import hashlib
import json
import math
from decimal import Decimal, InvalidOperation
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from podtune.core.errors import SpecError
from podtune.core.request import TrainingRequest
from podtune.core.spec import Place

MOST_USD: Final = Decimal(1_000_000)
"""The same bound as of `max_usd_per_job`."""
PLACES: Final = (
    (Place.LOCAL, "this machine, free of charge"),
    (Place.RUNPOD, "a rented RunPod pod"),
    (Place.RUNPOD_SERVERLESS, "a RunPod serverless endpoint"),
)


class Typed(BaseModel):
    """The form's fields, as text; empty where nothing was typed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    upload: str = Field(default="", max_length=40)
    """Under which word the file was kept."""
    address: str = Field(default="", max_length=8000)
    base_model: str = Field(default="", max_length=300)
    epochs: str = Field(default="", max_length=20)
    on: str = Field(default=Place.LOCAL.value, max_length=30)
    ceiling: str = Field(default="", max_length=20)

    def hidden(self) -> list[tuple[str, str]]:
        """Name and value of every field, to be sent again."""
        return [(name, str(value)) for name, value in self]


def request_of(typed: Typed, source: str) -> TrainingRequest:
    """What was typed as a request; what was left empty is not stated.

    Args:
        typed: The form.
        source: The file's path, or the address.

    Raises:
        SpecError: a field does not hold what it should, naming it.
    """
    stated: dict[str, object] = {"data.source": source, "where.on": _place(typed.on).value}
    if typed.base_model.strip():
        stated["base_model.name"] = typed.base_model.strip()
    if typed.epochs.strip():
        stated["training.epochs"] = _epochs(typed.epochs)
    if typed.ceiling.strip() and _place(typed.on).is_rented:
        stated["where.max_usd"] = float(_dollars(typed.ceiling))
    return TrainingRequest(stated=stated)


def digest_of(request: TrainingRequest, plan_digest: str) -> str:
    """sha256 of what was approved."""
    body = {"stated": request.stated, "plan": plan_digest}
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def address_of(typed: Typed) -> str:
    """The address that was typed.

    Raises:
        SpecError: there is none, or it is no https address.
    """
    address = typed.address.strip()
    if not address:
        raise SpecError(
            "there is no data to train on", hint="choose a file, or give an https address"
        )
    if not address.lower().startswith(("https://", "http://")):
        raise SpecError(
            f"{address[:80]!r} is no web address", hint="give one that begins with https://"
        )
    return address


def _place(text: str) -> Place:
    try:
        return Place(text)
    except ValueError as error:
        raise SpecError(
            f"{text[:30]!r} is no place to train", hint="choose one of the list"
        ) from error


def _epochs(text: str) -> float:
    try:
        number = float(text.strip().replace(",", "."))
    except ValueError:
        number = math.nan
    if not 0 < number <= 1000:
        raise SpecError(f"{text[:20]!r} is no number of epochs", hint="e.g. 3, or 0.5 for half")
    return int(number) if number == int(number) else number


def _dollars(text: str) -> Decimal:
    try:
        amount = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        amount = Decimal(0)
    if not (amount.is_finite() and 0 < amount <= MOST_USD):
        raise SpecError(f"{text[:20]!r} is no amount of dollars", hint="e.g. 5 or 2.50")
    return amount
