"""The states of a job and of its worker, and the one table to the wire's words.

A job moves through `JobPhase` one way: every success, failure, cancel and timeout leaves by
`terminating`, and `done` needs proof that nothing runs any more.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class JobPhase(StrEnum):
    """Where the workflow stands with a job."""

    QUEUED = "queued"
    VALIDATING = "validating"
    STAGING = "staging"
    PROVISIONING = "provisioning"
    TRAINING = "training"
    RETRIEVING = "retrieving"
    TERMINATING = "terminating"
    NOTIFYING = "notifying"
    DONE = "done"

    @property
    def is_terminal(self) -> bool:
        """Nothing more will happen by itself."""
        return self is JobPhase.DONE


class Desired(StrEnum):
    """What the user wants of a job; the workflow brings the world there."""

    RUN = "run"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """How a job ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"


class WorkerStage(StrEnum):
    """What the worker is doing."""

    DOWNLOADING = "downloading"
    LOADING = "loading"
    TRAINING = "training"
    SAVING = "saving"
    PROVING = "proving"
    UPLOADING = "uploading"


class WireStatus(StrEnum):
    """The three words of the application's contract."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class WireStage(StrEnum):
    """The three stages of the application's contract."""

    TRAINING = "training"
    SAVING = "saving"
    UPLOADING = "uploading"


WIRE_STAGE: Final[Mapping[str, WireStage]] = {
    JobPhase.QUEUED: WireStage.TRAINING,
    JobPhase.VALIDATING: WireStage.TRAINING,
    JobPhase.STAGING: WireStage.TRAINING,
    JobPhase.PROVISIONING: WireStage.TRAINING,
    WorkerStage.DOWNLOADING: WireStage.TRAINING,
    WorkerStage.LOADING: WireStage.TRAINING,
    WorkerStage.TRAINING: WireStage.TRAINING,
    WorkerStage.SAVING: WireStage.SAVING,
    WorkerStage.PROVING: WireStage.SAVING,
    JobPhase.RETRIEVING: WireStage.UPLOADING,
    WorkerStage.UPLOADING: WireStage.UPLOADING,
    JobPhase.TERMINATING: WireStage.UPLOADING,
    JobPhase.NOTIFYING: WireStage.UPLOADING,
    JobPhase.DONE: WireStage.UPLOADING,
}
"""Our phases and stages -> the contract's stage."""

WIRE_OUTCOME: Final[Mapping[Outcome, WireStatus]] = {
    Outcome.COMPLETED: WireStatus.COMPLETED,
    Outcome.FAILED: WireStatus.FAILED,
    Outcome.CANCELLED: WireStatus.FAILED,
    Outcome.TIMED_OUT: WireStatus.FAILED,
}
"""How a job ended -> the contract's status."""

STAGE_SHARE: Final[Mapping[WorkerStage, tuple[float, float]]] = {
    WorkerStage.DOWNLOADING: (0.0, 4.0),
    WorkerStage.LOADING: (4.0, 10.0),
    WorkerStage.TRAINING: (10.0, 92.0),
    WorkerStage.SAVING: (92.0, 94.0),
    WorkerStage.PROVING: (94.0, 99.0),
    WorkerStage.UPLOADING: (99.0, 100.0),
}
"""Percent of a job's progress at the start and the end of each worker stage."""
