"""Why each field has the value it has when nobody says one. The values stand in `core.spec`."""

from collections.abc import Mapping
from typing import Final

DEFAULT_BASE_MODEL: Final = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""Apache-2.0, and small enough to train on any machine in minutes."""

SUGGESTED_MODEL: Final = "Qwen/Qwen3-8B"
"""Named where somebody rents a machine and says no model: Apache-2.0, fits cards of 24 GB and up."""

WHY: Final[Mapping[str, str]] = {
    "base_model.name": "small enough to train on this machine in minutes; Apache-2.0",
    "base_model.revision": "the copy found is used as it is",
    "base_model.source": "a copy on this machine first, then the Hub",
    "data.format": "told from the data itself",
    "data.columns": "the columns' names tell",
    "data.sheet": "the sheet with questions and answers",
    "data.member": "the file that looks like the data",
    "data.speaker": "told from who answers",
    "data.fix": "nothing is repaired unasked",
    "data.max_rows": "all rows",
    "data.validation": "5 % of the rows, by hash of the question, are held out",
    "data.validation_source": "no file of held-out rows beside the data",
    "data.system_prompt": "none; the conversations stand as they are",
    "data.redact_pii": "nobody asked for it",
    "data.on_bad_rows": "a bad row stops the job: nothing is left out in silence",
    "method": "supervised fine-tuning: the data are conversations",
    "adapter.rank": "enough for a few thousand rows (LoRA Without Regret, 2025)",
    "adapter.alpha": "twice the rank, the common setting",
    "adapter.dropout": "little data is seen few times; dropout slows it down",
    "adapter.target_modules": "attention alone learns less (LoRA Without Regret, 2025)",
    "adapter.experts": "experts hold nearly all weights of a mixture; attention is enough",
    "training.max_steps": "the epochs decide",
    "training.lr_scheduler": "the common choice; ends at zero",
    "training.warmup_ratio": "the common choice for adapters",
    "training.warmup_steps": "the share decides",
    "training.weight_decay": "none on adapters",
    "training.long_rows": "nothing is cut unasked",
    "training.beta": "the value of the papers and of TRL",
    "training.logging_steps": "every step is reported",
    "training.seed": "fixed, so that a run can be repeated",
    "training.report_to": "progress is in events.jsonl and metrics.jsonl",
    "where.on": "nothing is rented unless somebody says so",
    "where.gpu": "cuda, then mps, then cpu",
    "where.gpu_any_of": "no wish",
    "where.gpu_avoid": "no wish",
    "where.min_vram_gib": "the memory formula decides",
    "where.count": "one is enough for an adapter",
    "where.nodes": "one machine",
    "where.cloud": "private data stays in secure data centres",
    "where.region": "any",
    "where.image": "the stock image of the release",
    "where.registry_auth": "public image",
    "where.disk_gb": "room for libraries and the base model",
    "where.volume_gb": "room for checkpoints",
    "where.volume": "none",
    "where.endpoint": "none: no serverless one is meant",
    "where.max_usd": "nothing is spent on this machine",
    "where.max_hours": "no limit on this machine",
    "where.deadline": "none",
    "where.keep_on_failure_min": "a failed machine is not kept",
    "deliver.store": "straight to this machine",
    "deliver.to": "stays in the job's folder; `podtune artifact JOB -o DIR` copies it",
    "deliver.name": "the job's name",
    "deliver.callback_url": "nobody to tell",
    "deliver.public": "private, always",
    "deliver.export": "the adapter alone",
    "deliver.delete_after": "kept",
    "evaluate.before_after": "seeing is believing",
    "evaluate.samples": "as many as fit a screen",
}
"""Spec path -> the reason of its default. Paths that the plan computes give their reason there."""

WHY_RENTED: Final[Mapping[str, str]] = {
    "where.gpu": "what costs least in the end",
    "where.gpu_any_of": "any card that holds it",
    "where.max_usd": "somebody has to say it",
    "where.max_hours": "what the ceiling pays, 24 h at most",
    "deliver.store": "over the machine's own port, straight to this machine",
}
"""The reasons that are others on a rented machine."""
