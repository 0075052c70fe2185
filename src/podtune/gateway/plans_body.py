"""What `/v1/plans` is asked: bodies as they come, and what the document says of them."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from podtune.app.plan_offers import Wish
from podtune.core.errors import SpecError
from podtune.core.form_faults import faults_of, kind_of
from podtune.intake.resolve import stated_of

MOST_WORDS: Final = 20_000
"""Characters of a sentence; the parser says what it reads of them."""


class _Form(BaseModel):
    """Frozen; nothing is converted, an unknown key is an error, and no value is shown in one."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )


_F = TypeVar("_F", bound=_Form)


class PlanForm(_Form):
    """What is to be planned: `request`, `spec` or `stated`, one of them."""

    request: Annotated[str, Field(min_length=1, max_length=MOST_WORDS)] | None = None
    """What somebody wants, in their own words."""
    spec: dict[str, JsonValue] | None = None
    """A spec by sections, as in a spec file."""
    stated: dict[str, JsonValue] | None = None
    """Fields of the spec by path: `{"training.epochs": 2}`."""
    answers: dict[str, JsonValue] = {}
    """Answers to `questions` of the answer before, by their `field`."""
    minutes: float | None = Field(default=None, gt=0, le=1e6)
    """Shorten the training to about so many minutes; with `spec` and `stated`."""


class TokenForm(_Form):
    """A plan's token."""

    token: Annotated[str, Field(min_length=1, max_length=200)]
    """As the plan gave it."""


def wish_of(data: object) -> Wish:
    """A body as it came.

    Raises:
        SpecError: code `bad_request_body`, with every fault at once.
    """
    form = _checked(PlanForm, data)
    given = [name for name in ("request", "spec", "stated") if getattr(form, name) is not None]
    if len(given) != 1:
        raise _error([f"one of request, spec and stated is needed, not {len(given)} of them"])
    stated = form.stated or {}
    if form.spec is not None:
        stated = stated_of(form.spec)
    return Wish(form.request, stated, form.answers, form.minutes)


def token_of(data: object) -> str:
    """The token in a body as it came.

    Raises:
        SpecError: code `bad_request_body`.
    """
    return _checked(TokenForm, data).token


def _checked(form: type[_F], data: object) -> _F:
    if not isinstance(data, Mapping):
        raise _error([f"the request must be a JSON object, not {kind_of(data)}"])
    try:
        return form.model_validate(dict(cast("Mapping[str, object]", data)))
    except ValidationError as error:
        faults = faults_of(error, {(): tuple(form.model_fields)}, ("token",))
    raise _error(faults)  # outside: the validator's error would bring the values along


def _error(faults: list[str]) -> SpecError:
    told = faults[:20]
    return SpecError(
        "; ".join(told),
        code="bad_request_body",
        hint="the OpenAPI document at /openapi.json says what is taken",
        context={"problems": told},
    )


def schema_of(form: type[BaseModel], example: dict[str, object]) -> dict[str, object]:
    """What a route's document says of its body."""
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _plain(form), "example": example}},
        }
    }


def _plain(form: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema in one piece: whatever JSON may hold needs no words."""
    schema = form.model_json_schema()
    schema.pop("$defs", None)
    return cast("dict[str, Any]", _without_references(schema))


def _without_references(value: object) -> object:
    if isinstance(value, dict):
        known = cast("dict[str, object]", value)
        if "$ref" in known:
            return {}
        return {name: _without_references(one) for name, one in known.items()}
    if isinstance(value, list):
        return [_without_references(one) for one in cast("list[object]", value)]
    return value


EXAMPLE: Final[dict[str, object]] = {
    "request": "Fine-tune Qwen3 8B on https://files.example.org/tickets.jsonl for 2 epochs, at most $5"
}
TOKEN_EXAMPLE: Final[dict[str, object]] = {"token": f"ptp_abcdefghjkmn_{'0' * 64}"}
