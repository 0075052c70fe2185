"""The seam every provider fills, and the types that cross it."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from podtune.core.job import Instance, TerminationProof

LOG: Final = "worker.log"
"""File in a job's folder that takes everything its worker writes."""


class LaunchRequest(NamedTuple):
    """What to start: the worker on a job's folder, under a unique name."""

    name: str
    folder: Path
    environment: Mapping[str, str]
    """Variables added to the provider's own allow-list."""


class InstanceState(StrEnum):
    """What a provider sees of an instance."""

    RUNNING = "running"
    GONE = "gone"


class Provider(Protocol):
    """Starts and ends workers."""

    def launch(self, request: LaunchRequest) -> Instance:
        """Start a worker; idempotent by name: one that runs already is adopted.

        Raises:
            ProviderError: it could not be started.
        """
        ...

    def inspect(self, instance_id: str) -> InstanceState:
        """What has become of an instance."""
        ...

    def terminate(self, name: str, instance_id: str | None) -> TerminationProof | None:
        """End an instance and everything of its name; gone already is success.

        Returns proof of absence, or None when something still runs (call again).
        """
        ...

    def owned(self, owner: str) -> Sequence[Instance]:
        """Everything that runs under our owner's name."""
        ...
