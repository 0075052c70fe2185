"""What a rented machine was last seen doing: written by the driver, read by whoever watches.

`jobs/<id>/machine.json`. It is a picture for people; nothing is decided from it.
"""

from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from podtune.core.handover import GpuUse

FILE: Final = "machine.json"

HINT_AFTER_S: Final = 60.0
"""Without an event of the worker for so long, the card's load is read as a hint."""

_LOADED: Final = 50.0
_BUSY: Final = 50.0
_IDLE: Final = 10.0
"""Percent; the thresholds of the specification's table 4.2 (training-on-rented-pods.md)."""


class MachineView(BaseModel):
    """One rented machine at one moment."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    attempt: int
    step: str
    """`starting`, or the machine's own phase (`podtune.core.handover.PodPhase`)."""
    detail: str = ""
    """For people: what the provider or the machine says of it."""
    at: datetime
    """When this was written."""
    heard_at: datetime | None = None
    """When the machine last answered."""
    done_bytes: int = 0
    """Of what is being sent or fetched."""
    total_bytes: int = 0
    uptime_s: float = 0
    gpus: tuple[GpuUse, ...] = ()


def read(folder: Path) -> MachineView | None:
    """The last picture of a job's machine; None while there is none."""
    try:
        return MachineView.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def write(folder: Path, view: MachineView) -> None:
    """Replace the picture, all at once."""
    path = folder / FILE
    temporary = path.with_suffix(".tmp")
    temporary.write_text(view.model_dump_json(exclude_none=True), encoding="utf-8")
    temporary.replace(path)


def hint(view: MachineView) -> str | None:
    """What the first card's load suggests, in the specification's four words; None between them."""
    card = view.gpus[0] if view.gpus else None
    if card is None or card.util is None:
        return None
    used, total = card.memory_used_bytes, card.memory_total_bytes
    memory = 100.0 * used / total if used is not None and total else 0.0
    if memory > _LOADED and card.util > _BUSY:
        return "training in progress"
    if memory > _LOADED and card.util < _IDLE:
        return "loading model"
    if memory == 0 and card.util == 0:
        return "initializing / installing deps"
    if memory < _IDLE and card.util < _IDLE:
        return "training complete or failed"
    return None
