"""The seams between the workflow and the places where jobs run."""

from typing import NamedTuple, Protocol

from podtune.core.artifact import Artifact
from podtune.core.job import Instance, Job, TerminationProof
from podtune.providers.base import Provider
from podtune.workflow.lookout import Observe
from podtune.workflow.steps import Heard


class Effects(Protocol):
    """What a job's phases do to the world. Each may run twice and must not mind."""

    def check_data(self, job: Job) -> None:
        """Raise DatasetError unless the job's copy of the data is what was planned."""
        ...

    def stage(self, job: Job) -> None:
        """Write the worker's order."""
        ...

    def launch(self, job: Job) -> Instance:
        """Start the worker under the job's instance name, or adopt it."""
        ...

    def verify(self, job: Job) -> Artifact:
        """Check the artifact against the worker's checksums."""
        ...

    def terminate(self, job: Job) -> TerminationProof | None:
        """End what runs; proof of absence, or None when it has to be tried again."""
        ...

    def receipt(self, job: Job) -> None:
        """Sign the receipt and deliver the artifact."""
        ...


class RentedEffects(Effects, Protocol):
    """What jobs on rented machines need besides."""

    def hand_over(self, job: Job) -> Heard:
        """Bring the work to the machine, for some seconds; called again until it is accepted."""
        ...

    def pull(self, job: Job) -> Heard:
        """Bring new events and output here."""
        ...

    def salvage(self, job: Job) -> Heard:
        """Have the worker save and end, and bring its last checkpoint here; until `saved`."""
        ...

    def fetch(self, job: Job) -> bool | Heard:
        """Bring the artifact here, each file verified; True once all of it is.

        Until then what was heard of the machine; False where it did not answer and its store has nothing.
        """
        ...

    def release(self, job: Job) -> None:
        """Tell the machine that all is picked up; it may not answer any more."""
        ...


class Site(NamedTuple):
    """Where jobs run: its provider, what is done there, and how many at once."""

    provider: Provider
    effects: Effects
    places: int
    observe: Observe | None = None
    """One look for all machines of a rented place; a local process is looked at by itself."""
    account: str | None = None
    """Whose machines the provider sees."""
