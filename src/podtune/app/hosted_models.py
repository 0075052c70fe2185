"""Names of models as the hosted fine-tuning API writes them, and the open base models behind them.

Which open model stands for a hosted name is asked, never guessed: the operator's setting says it, or the request.
Names of what was trained are `ft:<base>:<owner>:<suffix>:<job>`, of a checkpoint `:ckpt-step-<n>` behind it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from podtune.app.settings import Settings
from podtune.core.errors import SpecError
from podtune.core.form_fields import model_name
from podtune.core.spec import BaseModelSpec, Method
from podtune.planning import model_facts, schedule
from podtune.storage import base_models

PREFIX: Final = "ft:"
DEFAULT_OWNER: Final = "local"

SUGGESTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "gpt-4.1-nano": ("Qwen/Qwen3-1.7B", "HuggingFaceTB/SmolLM2-1.7B-Instruct"),
    "gpt-4.1-mini": ("Qwen/Qwen3-8B", "meta-llama/Llama-3.1-8B-Instruct"),
    "gpt-4o-mini": ("Qwen/Qwen3-8B", "meta-llama/Llama-3.1-8B-Instruct"),
    "gpt-4.1": ("Qwen/Qwen3-32B", "meta-llama/Llama-3.3-70B-Instruct"),
    "gpt-4o": ("Qwen/Qwen3-32B", "meta-llama/Llama-3.3-70B-Instruct"),
    "gpt-4": ("Qwen/Qwen3-32B", "meta-llama/Llama-3.3-70B-Instruct"),
    "gpt-3.5-turbo": ("Qwen/Qwen3-4B", "mistralai/Mistral-7B-Instruct-v0.3"),
    "babbage-002": ("Qwen/Qwen3-0.6B-Base",),
    "davinci-002": ("Qwen/Qwen3-8B-Base",),
}
"""Hosted model -> open ones to think of, the likely one first. What the hosted ones are is not published, so these
are suggestions by what people use them for, chosen on 2026-11-23; nothing is trained on one unasked."""

ANY: Final = ("Qwen/Qwen3-8B", "meta-llama/Llama-3.1-8B-Instruct")
"""Suggested for a name that the table does not have."""

_DATED: Final = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{4})$", re.ASCII)
_CHECKPOINT: Final = re.compile(r"ckpt-step-(\d{1,9})", re.ASCII)
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)


class Trained(NamedTuple):
    """What a name of something trained says."""

    job: str
    step: int | None
    """Of a checkpoint; None for the job's result."""


def mapping(settings: Settings) -> Mapping[str, str]:
    """The operator's table: hosted name -> open base model.

    Raises:
        SpecError: code `bad_setting`: PODTUNE_HOSTED_MODELS is no such table.
    """
    table: dict[str, str] = {}
    for entry in filter(None, (part.strip() for part in settings.hosted_models.split(","))):
        name, sign, base = (part.strip() for part in entry.partition("="))
        if not (name and sign and base):
            raise SpecError(
                f"PODTUNE_HOSTED_MODELS: {entry[:80]!r} is no pair",
                code="bad_setting",
                hint="e.g. gpt-4o-mini=Qwen/Qwen3-8B, gpt-4.1=Qwen/Qwen3-32B",
            )
        table[name] = base
    return table


def base_of(asked: str, settings: Settings) -> str:
    """The open base model that a request's `model` means.

    Args:
        asked: `org/name` (or a folder, which the desk allows nobody but the operator), or a hosted name.
        settings: With the operator's table.

    Raises:
        SpecError: code `unknown_model`: a hosted name that nobody has said anything about, with suggestions.
    """
    table = mapping(settings)
    for name in (asked, undated(asked)):
        if name in table:
            return table[name]
    if asked.startswith(PREFIX):
        raise SpecError(
            "training goes on from an open base model, not from something trained",
            code="unknown_model",
            hint="name the base model, and give the rows of both trainings",
            context={"param": "model"},
        )
    if "/" in asked:
        return asked
    likely = suggestions(asked)
    raise SpecError(
        f"{asked[:80]!r} is a model of the hosted API, and nobody has said which open model stands for it; "
        f"suggested: {', '.join(likely)}",
        code="unknown_model",
        hint=f'say it in the request, extra_body={{"podtune": {{"base_model": "{likely[0]}"}}}}, or for all: '
        f"PODTUNE_HOSTED_MODELS={undated(asked)[:60]}={likely[0]}",
        context={"param": "model", "suggestions": list(likely)},
    )


def suggestions(asked: str) -> Sequence[str]:
    """Open models to think of for a hosted name, the likely one first."""
    name = undated(asked)
    found = [known for known in SUGGESTIONS if name == known or name.startswith(f"{known}-")]
    return SUGGESTIONS[max(found, key=len)] if found else ANY


def undated(name: str) -> str:
    """A hosted name without its date.

    >>> undated("gpt-4o-mini-2024-07-18")
    'gpt-4o-mini'
    """
    return _DATED.sub("", name)


def known_bases(settings: Settings) -> Sequence[str]:
    """Base models worth listing: the operator's, then the suggested ones, each once."""
    suggested = (name for names in SUGGESTIONS.values() for name in names)
    return tuple(dict.fromkeys((*mapping(settings).values(), *suggested)))


def is_hub_name(name: str) -> bool:
    """Whether a name could be a model's on the Hub."""
    try:
        return model_name(name) == name and "/" in name
    except ValueError:
        return False


def name_of(
    base: str, owner: str | None, suffix: str | None, job: str, step: int | None = None
) -> str:
    """The name of what a job trained, or of one of its checkpoints.

    >>> name_of("Qwen/Qwen3-8B", None, "bot", "tickets-ab12")
    'ft:Qwen/Qwen3-8B:local:bot:tickets-ab12'
    """
    shown = base if is_hub_name(base) else _safe(base.rstrip("/").rpartition("/")[2])
    parts = [shown, _safe(owner or DEFAULT_OWNER), _safe(suffix or ""), job]
    if step is not None:
        parts.append(f"ckpt-step-{step}")
    return PREFIX + ":".join(parts)


def parse(name: str) -> Trained | None:
    """What a name of something trained says; None for any other name."""
    parts = name.split(":")
    if not name.startswith(PREFIX) or len(parts) not in (5, 6):
        return None
    if len(parts) == 5:
        return Trained(parts[4], None)
    step = _CHECKPOINT.fullmatch(parts[5])
    return Trained(parts[4], int(step[1])) if step else None


def default_learning_rate(
    base: str, method: Method, settings: Settings, *, revision: str | None = None
) -> float:
    """The learning rate that a plan would take for an adapter of a model where nobody says one.

    Raises:
        PodtuneError: the model cannot be found.
    """
    located = base_models.locate(
        BaseModelSpec(name=base, revision=revision),
        settings.models,
        prefer_package=False,
        as_stranger=settings.finds_as_stranger,
    )
    facts = model_facts.facts_from_config(
        located.config,
        name=located.name,
        revision=located.revision,
        source=located.source.value,
        location=None,
        download_bytes=None,
    )
    return float(schedule.learning_rate(facts.hidden_size, method).value)  # pyright: ignore[reportArgumentType]


def _safe(text: str) -> str:
    return _UNSAFE.sub("-", text).strip("-")[:64]
