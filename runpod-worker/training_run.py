"""What every step of a training needs: the order, the job's folder, and the voice."""

from pathlib import Path
from typing import NamedTuple

from podtune.core.job import WorkerOrder
from podtune.core.plan import Plan
from podtune.core.spec import TrainingSpec
from progress import EventWriter
from shutdown import Shutdown


class Run(NamedTuple):
    """One attempt at a job."""

    order: WorkerOrder
    job: Path
    events: EventWriter
    stop: Shutdown | None = None
    """Tells when the process is asked to end; None where nobody listens."""

    @property
    def plan(self) -> Plan:
        """What was approved; nothing here chooses again."""
        return self.order.plan

    @property
    def spec(self) -> TrainingSpec:
        """The plan's resolved spec."""
        return self.order.plan.spec

    @property
    def work(self) -> Path:
        """Intermediate files that are no part of the artifact."""
        return self.job / "work"

    @property
    def artifact(self) -> Path:
        """The artifact's folder."""
        return self.job / "artifact"

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints are kept."""
        return self.job / "checkpoints"
