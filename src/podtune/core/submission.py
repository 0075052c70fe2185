"""The application's request, `POST /training/submit` and a worker's `input`: read and written here alone.

Takes JSON as it came, gives a `Submission`, or one error with every fault; and the way to a
`TrainingRequest` and back. What is not stated stays None: the spec's defaults are `intake`'s. Knows
nothing of machines, and shows no address: a signed one is a secret.

Source: the founding documents' request format (specification B, "Expected Request Format"); what its
fields mean, which are required and what was added: design, section 5. Read on 2026-11-23.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Final, Literal, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from podtune.core import form_fields
from podtune.core.errors import SpecError
from podtune.core.form_faults import faults_of, kind_of, shown
from podtune.core.request import TrainingRequest
from podtune.core.spec import AUTO, CALLBACK, EffectiveBatch, TrainingSpec, flatten

DENSE_TARGETS: Final = (
    "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
)  # fmt: skip
"""The target names of specification B. On a mixture of experts they mean its attention; the planner
decides that, for it knows the model."""

MAX_ADDRESS: Final = 16_384
"""Characters of a data set's address, as many as `egress` takes (a presigned one has about 2,000)."""
MAX_CALLBACK: Final = 2000
"""Characters of a callback's address, as many as `intake.callback` takes."""
FAULTS_SHOWN: Final = 20
_HINT: Final = "job_id, dataset_url and hyperparameters.base_model are needed, and nothing else"


Whole = Annotated[int, BeforeValidator(form_fields.whole)]
CardName = Annotated[
    str, Field(min_length=1, max_length=100), AfterValidator(form_fields.printable)
]


class _Part(BaseModel):
    """Frozen; nothing is converted, an unknown key is an error, and no value is shown in one."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )


class Hyperparameters(_Part):
    """What is trained, and how; None is "not stated"."""

    base_model: Annotated[str, AfterValidator(form_fields.model_name)]
    """`org/name` on the Hub."""
    learning_rate: float | None = Field(default=None, gt=0, lt=1)
    """Peak learning rate of the adapter."""
    batch_size: Whole | None = Field(default=None, ge=1, le=65_536)
    """Examples per optimizer step and device."""
    num_epochs: float | None = Field(default=None, gt=0, le=1000)
    """Passes over the training rows, exactly."""
    lora_rank: Whole | None = Field(default=None, ge=1, le=1024)
    """r of the low-rank update."""
    lora_alpha: float | None = Field(default=None, gt=0, le=65_536)
    """The update is scaled by alpha / rank; 2 x rank where it is not stated."""
    lora_dropout: float | None = Field(default=None, ge=0, lt=1)
    """Share of the adapter's inputs dropped in training."""
    target_modules: Annotated[
        Literal["all-linear"] | tuple[str, ...] | None, BeforeValidator(form_fields.targets)
    ] = None
    """Names of the layers that are adapted, or `all-linear`. Our addition."""


class GpuConfig(_Part):
    """The card somebody has in mind."""

    gpu_type: CardName | None = None
    """A card by name, such as `H100`: a wish. A worker that has another warns."""
    num_gpus: Whole | None = Field(default=None, ge=1, le=64)
    """Devices of one machine; more than there are is an error."""
    gpu_memory_gb: float | None = Field(default=None, gt=0, le=4096)
    """Memory a card must have at least, as its name says."""
    cost_per_gpu_hour: float | None = Field(default=None, ge=0, le=1000)
    """US dollars that the caller expects to pay; never the price."""


class Submission(_Part):
    """One request of the application, whole and valid."""

    job_id: Annotated[str, AfterValidator(form_fields.job_name)]
    """The application's own id; the adapter's file carries it."""
    dataset_url: Annotated[str, form_fields.address(MAX_ADDRESS)] = Field(repr=False)
    """Where the data set is; its query is a secret."""
    hyperparameters: Hyperparameters
    gpu_config: GpuConfig = GpuConfig()
    callback_url: Annotated[str, form_fields.address(MAX_CALLBACK)] | None = Field(
        default=None, repr=False
    )
    """Who is told how it ended; may hold a secret."""
    max_usd: float | None = Field(default=None, ge=0, le=1_000_000)
    """Ceiling of the whole job in US dollars. Our addition."""
    max_hours: float | None = Field(default=None, gt=0, le=8760)
    """Longest time it may take. Our addition."""

    def to_wire(self) -> dict[str, object]:
        """The request as JSON values, without what was not stated; its addresses stand in it whole."""
        body = self.model_dump(mode="json", exclude_none=True)
        return {key: value for key, value in body.items() if value != {}}


def parse(data: object, *, extra: Collection[str] = ()) -> Submission:
    """Read a request as it came.

    Args:
        data: Decoded JSON, whatever it is. null is the same as leaving a field away.
        extra: Further names at the top that the caller reads itself; they are passed over.

    Raises:
        SpecError: code `bad_request_body`, with every fault at once; no address stands in it.
    """
    if not isinstance(data, Mapping):
        raise _error([f"the request must be a JSON object, not {kind_of(data)}"])
    body = {k: v for k, v in cast("Mapping[object, object]", data).items() if k not in extra}
    strays = sorted(shown(key) for key in body if not isinstance(key, str))
    if strays:
        raise _error([f"{key}: a name must be text" for key in strays])
    if body.get("gpu_config", "") is None:
        del body["gpu_config"]
    try:
        return Submission.model_validate(body)
    except ValidationError as error:
        faults = faults_of(error, _KNOWN, _UNSHOWN)
    raise _error(faults)  # outside: the validator's error would bring the values along


def request_of(submission: Submission, *, source: str, rents: bool = False) -> TrainingRequest:
    """What the submission states in the spec's paths, for `intake.resolve`.

    Args:
        submission: As parsed.
        source: Where the data is: the address itself, or the file that was fetched from it.
        rents: Whether a machine is rented for it: only then the card's name and its memory choose one.
    """
    asked, gpu = submission.hyperparameters, submission.gpu_config
    examples = None if asked.batch_size is None else asked.batch_size * (gpu.num_gpus or 1)
    stated: dict[str, object] = {
        "base_model.name": asked.base_model,
        "data.source": source,
        "training.learning_rate": asked.learning_rate,
        "training.epochs": asked.num_epochs,
        "training.effective_batch": None if examples is None else {"examples": examples},
        "adapter.rank": asked.lora_rank,
        "adapter.alpha": asked.lora_alpha,
        "adapter.dropout": asked.lora_dropout,
        "adapter.target_modules": asked.target_modules,
        "where.count": gpu.num_gpus,
        "where.gpu": gpu.gpu_type if rents else None,
        "where.min_vram_gib": gpu.gpu_memory_gb if rents else None,
        "where.max_usd": submission.max_usd,
        "where.max_hours": submission.max_hours,
        CALLBACK: submission.callback_url,
    }
    return TrainingRequest(stated={k: v for k, v in stated.items() if v is not None})


def submission_of(
    spec: TrainingSpec, *, job_id: str, dataset_url: str, callback_url: str | None = None
) -> Submission:
    """The request that states a spec's figures; `beyond` tells what it cannot say.

    Args:
        spec: As resolved, before or after planning; an `auto` is left unstated.
        job_id: The id the worker knows it by.
        dataset_url: Where the worker finds the data.
        callback_url: Whom the worker tells; nobody by default.

    Raises:
        SpecError: code `bad_request_body`, where a figure does not fit into a request.
    """
    training, adapter, where = spec.training, spec.adapter, spec.where
    targets = adapter.target_modules
    hyperparameters: dict[str, object] = {
        "base_model": spec.base_model.name,
        "learning_rate": _stated(training.learning_rate),
        "batch_size": _per_device(training.effective_batch, where.count),
        "num_epochs": _stated(training.epochs),
        "lora_rank": adapter.rank,
        "lora_alpha": adapter.alpha,
        "lora_dropout": adapter.dropout,
        "target_modules": targets if isinstance(targets, str) else list(targets),
    }
    gpu_config: dict[str, object] = {
        "gpu_type": _stated(where.gpu),
        "num_gpus": where.count,
        "gpu_memory_gb": where.min_vram_gib,
    }
    return parse(
        {
            "job_id": job_id,
            "dataset_url": dataset_url,
            "hyperparameters": hyperparameters,
            "gpu_config": gpu_config,
            "callback_url": callback_url,
            "max_usd": where.max_usd,
            "max_hours": where.max_hours,
        }
    )


_SAID: Final = frozenset(
    {
        "adapter.rank", "adapter.alpha", "adapter.dropout", "adapter.target_modules",
        "training.learning_rate", "training.epochs", "training.effective_batch",
    }
)  # fmt: skip

_SPLIT: Final = ("base_model.revision", "data.validation", "data.validation_source")
"""The worker chooses these; how else data are read is settled before they are sent."""


def beyond(spec: TrainingSpec) -> tuple[str, ...]:
    """Stated paths of a spec that decide what is trained and that a request has no word for.

    Args:
        spec: As resolved by `intake`, before planning: a plan fills every `auto`.
    """
    usual = flatten(TrainingSpec.model_validate({"base_model": "a", "data": {"source": "a"}}))
    return tuple(
        path
        for path, value in flatten(spec).items()
        if (path.split(".")[0] in ("method", "adapter", "training", "evaluate") or path in _SPLIT)
        and path not in _SAID
        and value != usual[path]
    ) + _tokens(spec)


def warnings_of(submission: Submission) -> tuple[str, ...]:
    """What of a request is only noted, or means something else than it may seem to."""
    asked, gpu = submission.hyperparameters, submission.gpu_config
    told: list[str] = []
    if gpu.cost_per_gpu_hour is not None:
        told.append(
            f"gpu_config.cost_per_gpu_hour: {gpu.cost_per_gpu_hour:g} is taken as what you expect; "
            "the provider's price is what is paid"
        )
    if gpu.gpu_memory_gb is not None:
        told.append(
            f"gpu_config.gpu_memory_gb: {gpu.gpu_memory_gb:g} is the least a card may have; a larger "
            "one will do"
        )
    if asked.batch_size is not None and (gpu.num_gpus or 1) > 1:
        told.append(
            f"hyperparameters.batch_size: {asked.batch_size} examples on each of {gpu.num_gpus} "
            f"devices are {asked.batch_size * (gpu.num_gpus or 1)} in one step"
        )
    return tuple(told)


def _stated(value: object) -> object:
    return None if value == AUTO else value


def _per_device(batch: EffectiveBatch | str, count: int) -> int | None:
    if not isinstance(batch, EffectiveBatch) or batch.examples is None:
        return None
    if batch.examples % count:
        raise _error(
            [
                f"hyperparameters.batch_size: {batch.examples} examples in one step cannot be divided "
                f"among {count} devices"
            ]
        )
    return batch.examples // count


def _tokens(spec: TrainingSpec) -> tuple[str, ...]:
    batch = spec.training.effective_batch
    by_tokens = isinstance(batch, EffectiveBatch) and batch.examples is None
    return ("training.effective_batch",) if by_tokens else ()


def _error(faults: list[str]) -> SpecError:
    told = faults[:FAULTS_SHOWN]
    more = len(faults) - len(told)
    return SpecError(
        "; ".join(told) + (f"; and {more} more" if more else ""),
        code="bad_request_body",
        hint=_HINT,
        context={"problems": told},
    )


_KNOWN: Final[Mapping[tuple[str, ...], tuple[str, ...]]] = {
    (): tuple(Submission.model_fields),
    ("hyperparameters",): tuple(Hyperparameters.model_fields),
    ("gpu_config",): tuple(GpuConfig.model_fields),
}
"""Section -> the names it has."""

_UNSHOWN: Final = frozenset({"dataset_url", "callback_url"})
"""Fields whose values stand in no error: they may hold secrets."""
