"""Since when the rented place has not answered: noted by the reaper's rounds, shown by who looks at a job.

`runpod.json` in the home. It is a picture for people; nothing is decided from it.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from podtune.core.clock import Clock

FILE: Final = "runpod.json"

STALE: Final = timedelta(minutes=10)
"""A note that nobody renewed for so long says nothing: no driver asks any more. Rounds are half a minute
apart (`Limits.reap_every_s`)."""


class Silence(BaseModel):
    """A place that did not answer when it was last asked."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    since: datetime
    """When it first gave no answer."""
    at: datetime
    """When it last was asked."""


class Notes:
    """Writes down whether the place answers."""

    def __init__(self, home: Path, clock: Clock) -> None:
        """`home` is the installation's."""
        self._path, self._clock = home / FILE, clock

    def __call__(self, has_answered: bool) -> None:
        """Take note of one question."""
        if has_answered:
            self._path.unlink(missing_ok=True)
            return
        now, known = self._clock(), _read(self._path)
        note = Silence(since=known.since if known else now, at=now)
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(note.model_dump_json(), encoding="utf-8")
        temporary.replace(self._path)


def words(home: Path, now: datetime) -> str | None:
    """`RunPod could not be asked since 12:04 UTC: ...`; None where it answers, or nobody asks.

    A day is named where it is not today.
    """
    note = _read(home / FILE)
    if note is None or now - note.at > STALE:
        return None
    day = "" if note.since.date() == now.date() else f"{note.since:%Y-%m-%d} "
    since = f"RunPod could not be asked since {day}{note.since:%H:%M} UTC"
    return f"{since}: `podtune runpod audit` says why. Machines end themselves at their deadline"


def _read(path: Path) -> Silence | None:
    try:
        return Silence.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
