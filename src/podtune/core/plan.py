"""The plan: a promise of what will happen, what it needs and how long it takes.

What is approved is `Plan.digest`; what runs is that plan or nothing.
"""

import hashlib
import json
from decimal import Decimal
from enum import StrEnum
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from podtune.core.dataset import DatasetReport
from podtune.core.offer import Offer
from podtune.core.request import MAX_QUOTE
from podtune.core.spec import CALLBACK, TrainingSpec


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Origin(StrEnum):
    """How a field of the spec came to its value."""

    STATED = "stated"
    ASSUMED = "assumed"


class FieldNote(_Part):
    """One field of the spec: its value, whether somebody said it, and why if nobody did."""

    path: str
    value: object
    origin: Origin
    why: str
    quote: str | None = Field(default=None, max_length=MAX_QUOTE, exclude_if=lambda v: v is None)
    """The words it was read from, where it was asked for in words."""


class Device(_Part):
    """What the training computes on."""

    kind: str
    """`cuda`, `mps` or `cpu`."""
    name: str
    memory_bytes: int
    """Memory the training may use: the card's, or the machine's."""
    cores: int
    bf16: bool
    """Whether bf16 arithmetic is in the hardware."""
    count: int = 1
    """How many like it this machine has; of a CPU, how many processes make sense."""
    kernels: tuple[str, ...] = ()
    """Optional libraries found that the training would use, such as `flash_attn`."""


class LinearFacts(_Part):
    """A linear layer [outputs, inputs] that stands `copies` times in the model."""

    name: str
    inputs: int
    outputs: int
    copies: int

    @property
    def parameters(self) -> int:
        """Weights of all copies; biases are not counted."""
        return self.inputs * self.outputs * self.copies


class ExpertFacts(_Part):
    """The experts of a mixture: two fused tensors in each of some layers."""

    count: int
    """Experts of one layer."""
    active: int
    """Of them, how many a token goes through."""
    layers: int
    """Layers that have them."""
    hidden_size: int
    intermediate_size: int
    gated: bool = True
    """Whether gate and up are fused in one tensor [count, 2 x intermediate, hidden]."""

    @property
    def layer_parameters(self) -> int:
        """Weights of one layer's experts."""
        matrices = 3 if self.gated else 2
        return self.count * matrices * self.hidden_size * self.intermediate_size

    @property
    def parameters(self) -> int:
        """Weights of all experts."""
        return self.layer_parameters * self.layers


class BaseModelFacts(_Part):
    """What the plan knows of the base model without loading it."""

    name: str
    revision: str | None
    """Commit on the Hub; null for a folder or a packaged copy."""
    source: str
    """`hub`, `package` or `path`."""
    location: str | None
    """Folder with the files, when they are on this machine already."""
    model_type: str
    hidden_size: int
    layers: int
    kv_size: int
    """Width of the key (and of the value) projection: key-value heads x head size."""
    attention_size: int
    """Width of the query projection: heads x head size."""
    intermediate_size: int
    vocab_size: int
    tied_embeddings: bool
    linear_parameters: int
    """Parameters of the linear layers inside the blocks."""
    total_parameters: int
    linears: tuple[LinearFacts, ...] = ()
    """Every linear layer inside the blocks, experts apart."""
    experts: ExpertFacts | None = None
    linear_attention_layers: int = 0
    """Layers that carry a state from token to token instead of attending."""
    max_positions: int
    window: int | None = None
    """Tokens a sliding window attends over; null where attention sees the whole document."""
    download_bytes: int | None = None
    """What a download would fetch; null when nothing has to be fetched or it is unknown."""


class TokenCounts(_Part):
    """The data in tokens of this base model."""

    exact: bool
    """Counted with the model's own tokenizer; otherwise estimated from characters."""
    train_rows: int
    validation_rows: int
    train: int
    """Tokens of the training rows, template included."""
    trained: int
    """Of them, the ones a loss is taken on."""
    validation: int
    longest: int
    """Tokens of the longest example, trained on or held out."""
    examples: int
    """Training examples: a conversation whose template rewrites history gives several."""


class MemoryEstimate(_Part):
    """Peak memory of the training in bytes, by parts."""

    weights: int
    adapter: int
    """Adapter weights, their gradients and two AdamW moments."""
    activations: int
    logits: int
    unpacked: int = 0
    """Quantised weights while they are computed with: the largest layer, or one layer's experts."""
    overhead: int
    """Interpreter, libraries, and what the allocator loses."""
    total: int
    adapter_parameters: int
    """Trainable parameters."""
    expert_parameters: int = 0
    """Of them, those that adapt the experts of a mixture."""

    def parts(self) -> dict[str, int]:
        """The addends, in the order they are shown."""
        parts = {
            "base model": self.weights,
            "adapter and optimizer": self.adapter,
            "activations": self.activations,
            "logits": self.logits,
            "unpacked weights": self.unpacked,
            "libraries": self.overhead,
        }
        return {name: size for name, size in parts.items() if size or name != "unpacked weights"}


class TimeEstimate(_Part):
    """How long the job takes, in seconds."""

    training_s: float
    around_s: float
    """Loading, answers before and after, saving, proof."""
    tokens_per_second: float
    basis: str
    """Where the speed comes from: a run on this machine, or the table."""

    @property
    def total_s(self) -> float:
        """Training and everything around it."""
        return self.training_s + self.around_s


class Schedule(_Part):
    """Optimizer steps and what they cover."""

    exact: bool
    steps: int
    steps_per_epoch: float
    rows_per_epoch: int
    """Packed rows (or examples, unpacked) in one pass over the training data."""
    accumulation: int
    world: int = 1
    """Processes that train together, over all machines."""
    tokens_per_step: int
    left_out: tuple[str, ...] = ()
    """What a time limit left out of what was asked, in words."""


class Rung(_Part):
    """One step of the ladder: a machine this plan may run on, and what the job would take there.

    Hours and dollars cover what is billed: from the order of the machine to its proved absence.
    """

    offer: Offer
    device: Device
    """The machine as the plan computes with it."""
    hours_p50: float = Field(gt=0)
    hours_p90: float = Field(gt=0)
    usd_p50: Decimal = Field(ge=0)
    usd_p90: Decimal = Field(ge=0)


class PriceEstimate(_Part):
    """What a rented job costs, and the limits it may not pass."""

    ladder: tuple[Rung, ...] = Field(min_length=1)
    """Tried in this order; the figures of the plan are the first one's."""
    max_usd: Decimal = Field(gt=0)
    """The ceiling of the whole job, all attempts together."""
    max_hours: float = Field(gt=0)
    """Longest life of this job's machines: stated, or what the ceiling pays on the rung that costs
    least an hour. The ceiling ends the life of a dearer one sooner: `life_hours`."""
    reserve_s: float = Field(default=0, ge=0)
    """Kept back of the ceiling, in seconds of a machine's price, for one that outlives its deadline."""

    @property
    def first(self) -> Rung:
        """The rung that is tried first."""
        return self.ladder[0]

    def life_hours(self, rung: Rung) -> float:
        """How long a machine of this rung may live, if no other was rented before."""
        hourly = rung.offer.hourly
        if not hourly:
            return self.max_hours
        return max(0.0, min(self.max_hours, float(self.max_usd / hourly) - self.reserve_s / 3600))


class Plan(_Part):
    """A resolved spec with everything it will need; nothing downstream chooses again."""

    spec: TrainingSpec
    fields: tuple[FieldNote, ...]
    report: DatasetReport
    validation_report: DatasetReport | None
    base_model: BaseModelFacts
    device: Device
    tokens: TokenCounts
    schedule: Schedule
    memory: MemoryEstimate
    time: TimeEstimate
    adapted_layers: tuple[str, ...] = ()
    """Names of the linear layers that get an adapter; none where every weight is trained."""
    warnings: tuple[str, ...] = ()
    price: PriceEstimate | None = None
    """Of a rented machine; null on this one."""

    @model_validator(mode="before")
    @classmethod
    def _of_an_earlier_version(cls, given: Any) -> Any:
        """Plans of local jobs once held `usd: 0`."""
        if isinstance(given, dict) and "usd" in given:
            return {k: v for k, v in cast("dict[str, Any]", given).items() if k != "usd"}
        return given  # pyright: ignore[reportUnknownVariableType]

    @property
    def usd(self) -> float:
        """Expected cost in dollars; 0 on this machine."""
        return float(self.price.first.usd_p50) if self.price else 0.0

    @property
    def digest(self) -> str:
        """sha256 of the canonical plan.

        The speed estimate, the notes, quoted words, and when and from where prices were read are left
        out: they change nothing that runs.
        """
        body = self.model_dump(
            mode="json", exclude={"time": True, "warnings": True, "fields": {"__all__": {"quote"}}}
        )
        for rung in body["price"]["ladder"] if self.price else ():
            del rung["offer"]["fetched_at"], rung["offer"]["is_snapshot"]
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def with_callback(self, url: str | None) -> "Plan":
        """The same with another callback address or none, for those who may not see a secret in it."""
        if self.spec.deliver.callback_url is None:
            return self
        fields = tuple(
            note.model_copy(update={"value": url}) if note.path == CALLBACK else note
            for note in self.fields
        )
        return self.model_copy(update={"spec": self.spec.with_callback(url), "fields": fields})

    def note(self, path: str) -> FieldNote | None:
        """The note on one field of the spec."""
        return next((n for n in self.fields if n.path == path), None)
