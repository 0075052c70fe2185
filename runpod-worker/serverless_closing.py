"""The end of a job told to its orchestrator's store: its checkpoint where it failed, then `result.json`.

The form is a rented machine's (`core.handover.DeliveredResult`), so that the same code reads both. The
result is put last: with it all is there. What cannot be put is a warning: the platform has the outcome too.
"""

import tempfile
import threading
from pathlib import Path
from typing import Final, NamedTuple

import serverless_advice
import serverless_upload
from podtune.core.errors import PodtuneError
from podtune.core.events import TrainingEvent
from podtune.core.handover import DeliveredArchive, DeliveredCheckpoint, DeliveredResult
from podtune.egress.addresses import Policy
from podtune.egress.client import Egress, FetchFailedError
from podtune.storage import archive
from podtune.storage.bundle import newest_checkpoint
from podtune.workflow.folder import EventTail, JobFolder
from serverless_order import Outcome
from serverless_terms import Terms
from serverless_upload import Upload

CHECKPOINTS: Final = "checkpoints"
JSON: Final = "application/json"


class Closing(NamedTuple):
    """Whose end is told, and where to."""

    job_id: str
    terms: Terms
    upload: Upload | None
    policy: Policy

    def close(
        self, folder: Path | None, outcome: Outcome, gone: threading.Event, *, brief: bool = False
    ) -> tuple[str, ...]:
        """Put checkpoint and result; blocks, so to be called in a thread.

        Args:
            folder: The job's; None where it is another's, or there is none: then there is no checkpoint.
            outcome: How it ended.
            gone: Set where nobody waits any more: no further try is made.
            brief: Whether there is time for one try each only.

        Returns:
            What could not be put, in words without an address.
        """
        if self.upload is None or self.upload.result is None:
            return ()
        sending = _Sending(self, self.upload, folder, gone, brief)
        notes: list[str] = []
        checkpoint = None
        if not outcome.result.ok and self.upload.checkpoint is not None:
            try:
                checkpoint = sending.checkpoint()
            except (PodtuneError, OSError) as error:
                notes.append(f"the checkpoint was not put: {_why(error)}")
        try:
            sending.result(outcome, checkpoint)
        except (PodtuneError, OSError) as error:
            notes.append(f"the result was not put: {_why(error)}")
        return tuple(notes)


class _Sending(NamedTuple):
    """One job's end on its way."""

    whose: Closing
    upload: Upload
    folder: Path | None
    gone: threading.Event
    brief: bool

    def checkpoint(self) -> DeliveredCheckpoint | None:
        """Put the newest sealed checkpoint; None where there is none."""
        newest = self.folder and newest_checkpoint(self.folder / CHECKPOINTS)
        if self.folder is None or newest is None:
            return None
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".closing-") as work:
            packed = archive.pack(newest, Path(work) / "checkpoint.tar.gz")
            self._put("checkpoint", packed.path, serverless_upload.MEDIA_TYPE)
        return DeliveredCheckpoint(sha256=packed.sha256, bytes=packed.size_bytes, name=newest.name)

    def result(self, outcome: Outcome, checkpoint: DeliveredCheckpoint | None) -> None:
        """Put how the job ended."""
        said = result_of(self.whose, self.folder, outcome, checkpoint)
        with tempfile.TemporaryDirectory(prefix="podtune-closing-") as work:
            path = Path(work) / "result.json"
            path.write_text(said.model_dump_json(indent=1), encoding="utf-8")
            self._put("result", path, JSON)

    def _put(self, name: str, file: Path, media_type: str) -> None:
        address = self.upload.result if name == "result" else self.upload.checkpoint
        if address is None:
            return
        self._moved(0, None)
        client = Egress(self.whose.policy)
        serverless_upload.put(address, name, file, media_type, client, self._moved, self._pause)

    def _moved(self, done: int, total: int | None) -> None:
        if self.gone.is_set():
            raise FetchFailedError("nobody waits for it any more")

    def _pause(self, seconds: float) -> None:
        if self.brief or self.gone.wait(seconds):
            raise FetchFailedError("one try was made, and there is no time for another")


def result_of(
    whose: Closing, folder: Path | None, outcome: Outcome, checkpoint: DeliveredCheckpoint | None
) -> DeliveredResult:
    """What is told: the outcome, sums of what was put, and what the training measured."""
    events = [] if folder is None else list(EventTail(JobFolder(folder).events).read())
    trained = _trained(events) if outcome.is_completed else None
    dispatch = trained.attempt if trained else outcome.attempt
    facts: dict[str, object] = {}
    for event in events:
        if event.attempt == dispatch and event.facts:
            facts.update(event.facts)
    put = None
    if outcome.is_completed and outcome.adapter_sha256 and outcome.adapter_bytes is not None:
        put = DeliveredArchive(sha256=outcome.adapter_sha256, bytes=outcome.adapter_bytes)
    return DeliveredResult.model_validate(
        {
            "job": whose.job_id,
            "attempt": whose.terms.attempt,
            "ok": outcome.is_completed,
            "error_code": outcome.result.error_code,
            "error_message": outcome.result.error_message,
            "advice": outcome.result.advice,
            "archive": put,
            "checkpoint": checkpoint,
            "files": trained.result.files if trained and trained.result else {},
            "facts": facts,
        }
    )


def _trained(events: list[TrainingEvent]) -> TrainingEvent | None:
    """The trainer's own success: its artifact's files are what was packed."""
    found = [e for e in events if e.result is not None and e.result.ok and e.result.files]
    return found[-1] if found else None


def _why(error: PodtuneError | OSError) -> str:
    if isinstance(error, PodtuneError):
        return serverless_advice.clean(f"{error.code}: {error.message}")
    return error.strerror or type(error).__name__
