"""Scripts of workers that are only played: how long what takes, and what goes wrong."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field


class Misfortune(StrEnum):
    """What goes wrong with a worker, at step `at_step` where it has one."""

    NEVER_LISTENS = "never_listens"
    """The container runs, its port stays closed."""
    SILENCE = "silence"
    """The worker hangs: no step, no event, while the port answers."""
    DEAF = "deaf"
    """The port no longer answers; the training goes on, and the log stream tells of it."""
    CRASH = "crash"
    """The worker dies without a word; the pod's own program says so for it."""
    LOST = "lost"
    """Everything in the container ends with code 137; the platform restarts it."""
    NAN_LOSS = "nan_loss"
    """The loss is no number: a typed failure."""
    OUT_OF_MEMORY = "out_of_memory"
    """A typed failure."""
    IMAGE_UNFIT = "image_unfit"
    """The check before the training fails."""
    WRONG_SHA256 = "wrong_sha256"
    """The adapter's weights arrive with one byte changed."""
    WATCHDOG_DEAD = "watchdog_dead"
    """Nothing in the pod ever ends it."""


FAILURES: Final[Mapping[Misfortune, tuple[str, str]]] = {
    Misfortune.CRASH: ("worker_lost", "the worker ended without a word (signal 9)"),
    Misfortune.NAN_LOSS: ("loss_not_finite", "the loss is not a number at step {step}"),
    Misfortune.OUT_OF_MEMORY: ("out_of_memory", "GPU memory ran out at step {step}"),
    Misfortune.IMAGE_UNFIT: ("image_unfit", "the machine's check ended with code 1"),
}
"""Code and words of a failure, as the real worker and its pod give them."""


class Script(BaseModel):
    """How a pod's worker behaves, in seconds of the cloud's clock."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    listen_s: float = Field(default=5, ge=0)
    """From the container's start to the open port."""
    install_s: float = Field(default=20, ge=0)
    check_s: float = Field(default=5, ge=0)
    load_s: float = Field(default=10, ge=0)
    step_s: float = Field(default=1, ge=0)
    steps: int | None = Field(default=None, ge=1)
    """The plan's when None."""
    save_every: int = Field(default=5, ge=1)
    """Steps between two checkpoints."""
    save_s: float = Field(default=2, ge=0)
    prove_s: float = Field(default=5, ge=0)
    file_bytes: int = Field(default=1_000, ge=1)
    """Of each file of the artifact and of checkpoints."""
    misfortune: Misfortune | None = None
    at_step: int = Field(default=3, ge=1)
