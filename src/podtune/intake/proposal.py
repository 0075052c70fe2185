"""What a language model may answer to a request in words: fields, each with the words it was read from.

The closed form alone; whether any of it holds is `proposing`'s to say.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from podtune.intake.words.candidates import Value

FieldName = Literal[
    "intent", "base_model_mention", "base_model_id", "base_model_family", "base_model_version", "base_model_size_b", "base_model_variant",
    "dataset_ref", "dataset_hint", "dataset_max_rows", "dataset_prompt_column", "dataset_response_column", "system_prompt",
    "eval_enabled", "eval_fraction", "eval_rows", "eval_ref", "task", "method", "adapter", "quant_bits", "precision",
    "epochs", "max_steps", "learning_rate", "batch_size", "grad_accum", "effective_batch_size", "lora_rank", "lora_alpha", "lora_dropout",
    "max_seq_len", "warmup_steps", "warmup_ratio", "weight_decay", "lr_scheduler", "seed", "packing",
    "where", "runpod_mode", "gpu_type", "gpu_any_of", "gpu_avoid", "gpu_count", "gpu_vram_gb", "cloud_tier", "spot", "region",
    "budget_amount", "budget_currency", "budget_scope", "budget_kind", "max_hours", "deadline", "priority",
    "visibility", "output_name", "output_dest", "export", "redact_pii", "local_only", "delete_after", "callback_url", "resume_from",
]  # fmt: skip
"""What may be proposed. Not the consent to start (`skip_confirmation`), and no name of a running job."""

MOST_FIELDS: Final = 40
MOST_WORDS: Final = 400
"""Characters of a value or a quotation. Chosen: a long sentence."""


def _as_text(value: object) -> object:
    """Numbers, truth and lists as the words they would be typed as; small models send both."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        return ", ".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return value


class Proposed(BaseModel):
    """One field that a model believes to be stated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: FieldName
    value: Annotated[str, BeforeValidator(_as_text), Field(max_length=MOST_WORDS)]
    """As text: `3`, `true`, `A100, H100`."""
    quote: Annotated[str, Field(min_length=1, max_length=MOST_WORDS)]
    """The words of the request that say so, letter by letter."""


class Proposal(BaseModel):
    """What a model answers: nothing but fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fields: Annotated[tuple[Proposed, ...], Field(max_length=MOST_FIELDS)] = ()


def same(text: str, value: Value | None) -> bool:
    """Whether a proposed text means a value that was read."""
    said = text.strip().lower()
    if value is None:
        return False
    if isinstance(value, bool):
        return said in (("true", "yes", "1") if value else ("false", "no", "0"))
    if isinstance(value, int | float):
        try:
            return float(said) == float(value)
        except ValueError:
            return False
    if isinstance(value, list):
        return {part.strip() for part in said.split(",")} == {part.lower() for part in value}
    return " ".join(said.split()) == " ".join(value.lower().split())
