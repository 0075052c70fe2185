"""Whether what a serverless job puts out is the documented status object, field by field.

Specification B and `core/wire.py` say what it is; the answer is data from elsewhere, so everything of it
is looked at and nothing is believed.
"""

from collections.abc import Mapping
from typing import Any, Final, cast

from pydantic import TypeAdapter, ValidationError

from podtune.core.events import Metrics
from podtune.core.redact import scrub
from podtune.core.states import WireStatus
from podtune.core.wire import TrainingStatus

DOCUMENTED: Final = (
    "status", "progress", "current_epoch", "current_step", "stage", "metrics", "error_message",
)  # fmt: skip
"""Fields that every status object has (specification B, expected status response)."""

RESULT: Final = ("status", "progress", "metrics", "adapter_path")
"""Fields that the object of a completed job has (specification B, quick reference)."""

FAULTS_SHOWN: Final = 5

_ADAPTERS: Final[Mapping[str, TypeAdapter[Any]]] = {
    name: TypeAdapter(field.rebuild_annotation()) for name, field in TrainingStatus.model_fields.items()
}  # fmt: skip


def faults(output: object, reached: float = 0.0) -> tuple[str, ...]:
    """What is wrong with an update of a running job; empty where nothing is.

    Args:
        output: What the job put out.
        reached: The highest progress before it: progress never falls.
    """
    return _faults(output, DOCUMENTED, reached)


def result_faults(output: object) -> tuple[str, ...]:
    """What is wrong with the result of a completed job; empty where nothing is."""
    found = list(_faults(output, RESULT, 0.0))
    if not isinstance(output, dict):
        return tuple(found)
    fields = cast("dict[str, object]", output)
    if fields.get("status") != WireStatus.COMPLETED.value:
        found.append(f"status is {_shown(fields.get('status'))}, not 'completed'")
    if fields.get("progress") != 100:
        found.append(f"progress is {_shown(fields.get('progress'))}, not 100")
    path = fields.get("adapter_path")
    if not isinstance(path, str) or not path:
        found.append("adapter_path names no adapter")
    return tuple(dict.fromkeys(found))[:FAULTS_SHOWN]


def progress_of(output: object) -> float:
    """The progress an update tells; 0 where it tells none."""
    if not isinstance(output, dict):
        return 0.0
    value = cast("dict[str, object]", output).get("progress")
    return float(value) if isinstance(value, (int, float)) and 0 <= value <= 100 else 0.0


def _faults(output: object, required: tuple[str, ...], reached: float) -> tuple[str, ...]:
    if not isinstance(output, dict):
        return (f"it is {_shown(output)}, not an object",)
    fields = cast("dict[str, object]", output)
    if "output" in fields and "status" not in fields:
        return ("the result is nested under a second `output`",)
    found = [f"{name} is missing" for name in required if name not in fields]
    for name, adapter in _ADAPTERS.items():
        if name in fields and not _fits(adapter, fields[name]):
            found.append(f"{name} is {_shown(fields[name])}")
    metrics = fields.get("metrics")
    if isinstance(metrics, dict):
        absent = [name for name in Metrics.model_fields if name not in metrics]
        found += [f"metrics.{name} is missing" for name in absent]
    told = progress_of(fields)
    if told < reached:
        found.append(f"progress fell from {reached:g} to {told:g}")
    return tuple(found)[:FAULTS_SHOWN]


def _fits(adapter: TypeAdapter[Any], value: object) -> bool:
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


def _shown(value: object) -> str:
    """A foreign value, short and without keys."""
    text = scrub(repr(value))
    return text if len(text) <= 60 else f"{text[:60]}..."
