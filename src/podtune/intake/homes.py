"""Where each field that a sentence can state has its home: one row a field, so that none is lost in silence.

A path of the spec, a command, a question, or words that say it is not done. The fields are those of the request
schema (`intake.words`); `understand` does what the rows say.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple


class Kind(StrEnum):
    """What becomes of a field."""

    SPEC = "spec"
    """A field of the spec takes the value as it is."""
    MADE = "made"
    """Fields of the spec take what is computed from it."""
    MODEL = "model"
    """The base model is looked up by it."""
    LOCATOR = "locator"
    """The data is looked for by it."""
    COMMAND = "command"
    """It is a command's, not a training's."""
    ASKED = "asked"
    """It becomes a field of the spec once it is confirmed."""
    TOLD = "told"
    """It is not done; the request's remarks say so."""


class Home(NamedTuple):
    """What becomes of one field."""

    kind: Kind
    paths: tuple[str, ...] = ()
    """Of the spec; the first one takes the value, where the kind is `SPEC`."""
    words: str = ""
    """What to know of it."""


def _spec(path: str, words: str = "") -> Home:
    return Home(Kind.SPEC, (path,), words)


def _made(*paths: str, words: str) -> Home:
    return Home(Kind.MADE, paths, words)


_NAME: Final = ("base_model.name",)

HOMES: Final[Mapping[str, Home]] = {
    "intent": Home(Kind.COMMAND, (), "a training or its price; else a command is named"),
    "job_id": Home(Kind.COMMAND, (), "podtune status JOB, podtune cancel JOB"),
    "base_model_mention": Home(Kind.MODEL, _NAME, "quoted beside the model that was chosen"),
    "base_model_id": _spec("base_model.name"),
    "base_model_family": Home(Kind.MODEL, _NAME, "intake.releases has the repositories"),
    "base_model_version": Home(Kind.MODEL, _NAME),
    "base_model_size_b": Home(Kind.MODEL, _NAME),
    "base_model_variant": Home(Kind.MODEL, _NAME),
    "dataset_kind": _made("data.source", words="how the reference is read"),
    "dataset_ref": _made("data.source", words="a data set of the Hub becomes hf://org/name"),
    "dataset_hint": Home(Kind.LOCATOR, ("data.source",), "candidates are shown, never guessed"),
    "dataset_max_rows": _spec("data.max_rows"),
    "dataset_prompt_column": _spec("data.columns.prompt"),
    "dataset_response_column": _spec("data.columns.completion"),
    "system_prompt": _spec("data.system_prompt"),
    "eval_enabled": _made("data.validation", "data.validation_source", "evaluate.before_after", words="declined: no row is held out"),
    "eval_fraction": _spec("data.validation"),
    "eval_rows": Home(Kind.TOLD, (), "rows are held out by their share or as a file"),
    "eval_ref": _spec("data.validation_source"),
    "task": Home(Kind.MODEL, _NAME, "code prefers a coder where the size leaves several"),
    "method": _spec("method", "grpo is told: not built"),
    "adapter": _spec("adapter.kind"),
    "quant_bits": _spec("adapter.bits"),
    "precision": _spec("training.precision"),
    "epochs": _spec("training.epochs"),
    "max_steps": _spec("training.max_steps"),
    "learning_rate": _spec("training.learning_rate"),
    "batch_size": _made("training.effective_batch", words="examples per optimizer step and device"),
    "grad_accum": _made("training.effective_batch", words="times the batch; alone it says nothing"),
    "effective_batch_size": _made("training.effective_batch", words="examples of one optimizer step"),
    "lora_rank": _spec("adapter.rank"),
    "lora_alpha": _spec("adapter.alpha"),
    "lora_dropout": _spec("adapter.dropout"),
    "max_seq_len": _spec("training.max_length"),
    "warmup_steps": _spec("training.warmup_steps"),
    "warmup_ratio": _spec("training.warmup_ratio"),
    "weight_decay": _spec("training.weight_decay"),
    "lr_scheduler": _spec("training.lr_scheduler", "other than linear, cosine, constant: told"),
    "seed": _spec("training.seed"),
    "packing": _spec("training.packing"),
    "where": _made("where.on", words="asked where money or a card is named without a place"),
    "runpod_mode": _made("where.on", words="serverless: runpod-serverless"),
    "gpu_type": _made("where.gpu", words="CPU is this machine's; a card is a rented machine's"),
    "gpu_any_of": _spec("where.gpu_any_of", "of rented machines"),
    "gpu_avoid": _spec("where.gpu_avoid", "of rented machines"),
    "gpu_count": _spec("where.count"),
    "gpu_vram_gb": _spec("where.min_vram_gib", "of rented machines"),
    "cloud_tier": _spec("where.cloud", "of rented machines"),
    "spot": Home(Kind.TOLD, (), "machines that may be taken away are not rented"),
    "region": Home(Kind.ASKED, ("where.region",), "a data centre is named; of a continent it is asked"),
    "budget_amount": Home(Kind.ASKED, ("where.max_usd",), "a total in dollars is a ceiling"),
    "budget_currency": Home(Kind.ASKED, ("where.max_usd",), "other than dollars: asked, never converted"),
    "budget_scope": Home(Kind.ASKED, ("where.max_usd",), "a price of an hour is no ceiling: asked"),
    "budget_kind": Home(Kind.ASKED, ("where.max_usd",), "about: confirmed as the most it may cost"),
    "max_hours": _spec("where.max_hours"),
    "deadline": Home(Kind.ASKED, ("where.max_hours",), "where.deadline is not built: hours from now"),
    "priority": Home(Kind.TOLD, (), "machines are ordered by what they cost in the end"),
    "visibility": Home(Kind.ASKED, ("deliver.public",), "public: asked again, always"),
    "output_name": _made("deliver.name", "deliver.to", words="org/name is a repository of the Hub"),
    "output_dest": _made("deliver.to", words="asked where no address is named"),
    "export": Home(Kind.TOLD, (), "the adapter alone is delivered"),
    "redact_pii": _spec("data.redact_pii"),
    "local_only": _made("where.on", words="this machine, whatever else is said"),
    "delete_after": Home(Kind.TOLD, (), "a rented machine's disk goes with it; what is here stays"),
    "callback_url": _spec("deliver.callback_url"),
    "resume_from": Home(Kind.TOLD, (), "podtune resume JOB goes on with a job; adapters are no start"),
    "skip_confirmation": Home(Kind.TOLD, (), "never honoured where money is spent"),
}  # fmt: skip
"""Field of the request schema -> its home."""

RENTED_ONLY: Final = frozenset({"gpu_any_of", "gpu_avoid", "gpu_vram_gb", "cloud_tier"})
"""Fields that choose a machine, and mean nothing on this one."""

HINTS: Final = RENTED_ONLY | {"gpu_type", "spot", "region", "budget_amount"}
"""Fields that somebody says who has a rented machine in mind."""
