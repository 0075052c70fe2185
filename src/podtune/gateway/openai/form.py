"""The body of `POST /v1/fine_tuning/jobs`: what it may say, and what it means in the spec.

Takes decoded JSON, gives a `Create`, or one error with every fault. Knows nothing of files, models or money.

Source: the SDK's `FineTuningJobCreateParams` (openai 3.54.0) and peers.md 3a, ranges of its OpenAPI document;
read on 2026-11-23. `podtune` beside it is ours: the SDK sends it with `extra_body`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeVar, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from podtune.core import form_fields
from podtune.core.errors import SpecError, UnsupportedError
from podtune.core.form_faults import faults_of, kind_of
from podtune.core.spec import AUTO, CALLBACK, Method

FAULTS_SHOWN: Final = 20
MAX_PAIRS, MAX_KEY, MAX_VALUE = 16, 64, 512
"""Of `metadata`."""


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )


_Form = TypeVar("_Form", bound=_Part)


def _auto_or(low: float, high: float, *, whole: bool) -> AfterValidator:
    """`auto`, or a number from `low` (not itself, where it is 0) to `high`."""

    def check(value: object) -> object:
        if value is None or value == AUTO:
            return None
        value = form_fields.whole(value)
        kind = int if whole else int | float
        is_number = isinstance(value, kind) and not isinstance(value, bool)
        if not is_number or not low <= cast("float", value) <= high or value == 0:
            what = "a whole number" if whole else "a number"
            words = f"over 0 and at most {high:g}" if low == 0 else f"from {low:g} to {high:g}"
            raise ValueError(f"must be 'auto' or {what} {words}")
        return value

    return AfterValidator(check)


class Hyperparameters(_Part):
    """None is `auto`."""

    n_epochs: Annotated[Any, _auto_or(1, 50, whole=True)] = None
    """Passes over the rows."""
    batch_size: Annotated[Any, _auto_or(1, 256, whole=True)] = None
    """Examples of one optimizer step."""
    learning_rate_multiplier: Annotated[Any, _auto_or(0, 1000, whole=False)] = None
    """Times the learning rate that we would take."""


class DpoHyperparameters(Hyperparameters):
    """Those of preferences."""

    beta: Annotated[Any, _auto_or(0, 2, whole=False)] = None
    """How closely the reference is kept to."""


class Extra(_Part):
    """`podtune`: what the hosted API has no word for."""

    base_model: str | None = Field(default=None, min_length=1, max_length=500)
    """The open base model that `model` stands for."""
    revision: str | None = Field(default=None, min_length=1, max_length=120)
    """Of the base model, on the Hub."""
    on: Literal["local", "runpod", "runpod-serverless"] | None = None
    """Where it trains."""
    gpu: str | None = Field(default=None, min_length=1, max_length=100)
    gpu_any_of: list[str] | None = Field(default=None, max_length=32)
    gpu_avoid: list[str] | None = Field(default=None, max_length=32)
    min_vram_gib: float | None = Field(default=None, gt=0, le=4096)
    count: Annotated[int | None, Field(ge=1, le=64)] = None
    """Devices of one machine."""
    cloud: Literal["secure", "community"] | None = None
    region: str | None = Field(default=None, min_length=1, max_length=60)
    max_usd: float | None = Field(default=None, ge=0, le=1_000_000)
    """Ceiling of the whole job in dollars; lowers the operator's."""
    max_hours: float | None = Field(default=None, gt=0, le=8760)
    max_steps: Annotated[int | None, Field(ge=1)] = None
    lora_rank: Annotated[int | None, Field(ge=1, le=1024)] = None
    lora_alpha: float | None = Field(default=None, gt=0, le=65_536)
    lora_dropout: float | None = Field(default=None, ge=0, lt=1)
    max_length: Annotated[int | None, Field(ge=1)] = None
    system_prompt: str | None = Field(default=None, max_length=20_000)
    validation: float | None = Field(default=None, ge=0, lt=0.5)
    """Share of the rows held out, where there is no `validation_file`."""
    samples: Annotated[int | None, Field(ge=0, le=100)] = None
    """Held-out questions answered before and after."""
    on_bad_rows: Literal["stop", "skip"] | None = None
    callback_url: str | None = Field(default=None, min_length=1, max_length=2000)
    """Who is told how it ended, by a signed event."""


PATHS: Final[Mapping[str, str]] = {
    "revision": "base_model.revision",
    "on": "where.on",
    "gpu": "where.gpu",
    "gpu_any_of": "where.gpu_any_of",
    "gpu_avoid": "where.gpu_avoid",
    "min_vram_gib": "where.min_vram_gib",
    "count": "where.count",
    "cloud": "where.cloud",
    "region": "where.region",
    "max_usd": "where.max_usd",
    "max_hours": "where.max_hours",
    "max_steps": "training.max_steps",
    "lora_rank": "adapter.rank",
    "lora_alpha": "adapter.alpha",
    "lora_dropout": "adapter.dropout",
    "max_length": "training.max_length",
    "system_prompt": "data.system_prompt",
    "validation": "data.validation",
    "samples": "evaluate.samples",
    "on_bad_rows": "data.on_bad_rows",
    "callback_url": CALLBACK,
}
"""Our word -> where it stands in the spec; `base_model` is the caller's to understand."""


class Create(_Part):
    """A request to train, whole and valid."""

    model: str = Field(min_length=1, max_length=500)
    training_file: str = Field(min_length=1, max_length=100)
    validation_file: str | None = Field(default=None, min_length=1, max_length=100)
    suffix: str | None = Field(default=None, min_length=1, max_length=64)
    seed: int | None = Field(default=None, ge=0, le=2_147_483_647)
    metadata: dict[str, str] | None = None
    integrations: list[Any] | None = None
    method: dict[str, Any] | None = None
    hyperparameters: dict[str, Any] | None = None
    """Where the hosted API had them once."""
    podtune: dict[str, Any] | None = None

    learns: Method = Field(default=Method.SFT, exclude=True)
    chosen: Hyperparameters = Field(default=Hyperparameters(), exclude=True)
    extra: Extra = Field(default=Extra(), exclude=True)

    def stated(
        self, *, base: str, source: str, held: str | None, backend: str
    ) -> dict[str, object]:
        """What it states in the spec's paths; the learning rate is not among it.

        Args:
            base: The base model, understood.
            source: Path of the training file.
            held: Path of the validation file.
            backend: Where it trains when nobody says.
        """
        chosen = self.chosen
        found: dict[str, object] = {
            "base_model.name": base,
            "data.source": source,
            "data.validation_source": held,
            "method": self.learns.value,
            "training.epochs": chosen.n_epochs,
            "training.effective_batch": chosen.batch_size and {"examples": chosen.batch_size},
            "training.seed": self.seed,
            "training.beta": getattr(chosen, "beta", None),
            "where.on": backend,
        }
        said = self.extra.model_dump(exclude_none=True)
        found |= {path: said[word] for word, path in PATHS.items() if word in said}
        return {path: value for path, value in found.items() if value is not None}


_TOP: Final = tuple(
    name for name in Create.model_fields if name not in ("learns", "chosen", "extra")
)
_METHODS: Final[Mapping[str, tuple[Method, type[Hyperparameters]]]] = {
    "supervised": (Method.SFT, Hyperparameters),
    "dpo": (Method.DPO, DpoHyperparameters),
}


def parse(data: object) -> Create:
    """Read a request as it came; null is the same as leaving a field away.

    Raises:
        SpecError: code `bad_request_body`, with every fault at once and `param` of the first.
        UnsupportedError: `integrations`, or a method that is not built.
    """
    if not isinstance(data, Mapping):
        raise _error([f"the request must be a JSON object, not {kind_of(data)}"])
    body = {str(k): v for k, v in cast("Mapping[object, object]", data).items() if v is not None}
    for name in ("learns", "chosen", "extra"):
        if name in body:
            raise _error([f"{name}: unknown"])
    faults: list[str] = []
    top = _read(Create, body, "", faults)
    if top is None:
        raise _error(faults)
    _check_metadata(top.metadata, faults)
    if top.integrations:
        raise UnsupportedError(
            "integrations (wandb) are not built",
            code="unsupported_integration",
            hint="leave integrations away; the figures are in the events and in the result file",
            context={"param": "integrations"},
        )
    learns, chosen = _method(top, faults)
    extra = _read(Extra, top.podtune or {}, "podtune", faults)
    if faults or extra is None:
        raise _error(faults)
    return top.model_copy(update={"learns": learns, "chosen": chosen, "extra": extra})


def _method(top: Create, faults: list[str]) -> tuple[Method, Hyperparameters]:
    """What is learnt, and how."""
    given = top.method or {}
    kind = given.get("type", "supervised")
    if kind == "reinforcement":
        raise UnsupportedError(
            "reinforcement fine-tuning is not built",
            code="unsupported_method",
            hint="supervised and dpo are",
            context={"param": "method.type"},
        )
    if not isinstance(kind, str) or kind not in _METHODS:
        faults.append("method.type: must be supervised or dpo")
        return Method.SFT, Hyperparameters()
    faults += [f"method.{name[:40]}: unknown" for name in given if name not in ("type", kind)]
    learns, form = _METHODS[kind]
    section = given.get(kind)
    if section is not None and not isinstance(section, Mapping):
        faults.append(f"method.{kind}: must be an object, not {kind_of(section)}")
        return learns, Hyperparameters()
    inner = cast("Mapping[str, object]", section or {})
    faults += [f"method.{kind}.{n[:40]}: unknown" for n in inner if n != "hyperparameters"]
    place, values = f"method.{kind}.hyperparameters", inner.get("hyperparameters")
    if values is None:
        place, values = "hyperparameters", top.hyperparameters or {}
    return learns, _read(form, values, place, faults) or Hyperparameters()


def _read(form: type[_Form], data: object, place: str, faults: list[str]) -> _Form | None:
    """A section, or its faults."""
    if not isinstance(data, Mapping):
        faults.append(f"{place}: must be an object, not {kind_of(data)}")
        return None
    given = {str(k): v for k, v in cast("Mapping[object, object]", data).items() if v is not None}
    try:
        return form.model_validate(given)
    except ValidationError as error:
        names = _TOP if form is Create else tuple(form.model_fields)
        prefix = f"{place}." if place else ""
        faults += [prefix + one for one in faults_of(error, {(): names}, ("callback_url",))]
    return None


def _check_metadata(metadata: Mapping[str, str] | None, faults: list[str]) -> None:
    for key, value in (metadata or {}).items():
        if not 1 <= len(key) <= MAX_KEY or len(value) > MAX_VALUE:
            faults.append(
                f"metadata: a key has 1 to {MAX_KEY} characters, a value at most {MAX_VALUE}"
            )
            break
    if len(metadata or {}) > MAX_PAIRS:
        faults.append(f"metadata: at most {MAX_PAIRS} pairs")


def _error(faults: list[str]) -> SpecError:
    told = faults[:FAULTS_SHOWN]
    first, colon, _ = told[0].partition(":")
    return SpecError(
        "; ".join(told)
        + (f"; and {len(faults) - len(told)} more" if len(faults) > len(told) else ""),
        code="bad_request_body",
        hint="model and training_file are needed; docs/how-to/openai-api.md lists the rest",
        context={"problems": told, "param": first if colon and " " not in first else None},
    )
