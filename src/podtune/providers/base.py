"""The seam every provider fills, and the types that cross it."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from podtune.core.job import Instance, TerminationProof
from podtune.core.offer import Offer

LOG: Final = "worker.log"
"""File in a job's folder that takes everything its worker writes."""


class Machine(NamedTuple):
    """A machine to be rented, and the command it starts with."""

    offer: Offer
    image: str
    command: str
    """Text of a shell command made of safe signs only; nothing of a user's stands in it."""
    http_ports: tuple[int, ...]
    """Ports that can be reached through the provider's proxy."""
    disk_gb: int
    """Container disk, wiped when the container stops."""
    volume_gb: int
    """Disk at `mount_path` that lives as long as the machine; 0 for none."""
    mount_path: str = "/workspace"
    volume: str | None = None
    """Id of a network volume to mount instead; its data centre is `region`."""
    region: str | None = None
    """Data centre asked for; None for any."""
    registry: str | None = None
    """Id of stored credentials for a private image."""
    min_cuda: str | None = None
    """Least CUDA version of the host, such as `12.8`."""
    ssh: bool = False
    """Whether a shell may be opened on it."""
    vcpus: int = 0
    """Virtual cores of a machine without a card, whose flavour is `offer.gpu`; 0 where there is a card."""


class QueuedWork(NamedTuple):
    """A job for an endpoint's queue."""

    endpoint: str
    given: object
    """The handler's input. RunPod keeps it and shows it to whoever may read the account."""
    run_s: int
    """How long a worker may work on it."""
    life_s: int
    """From its submission to its deletion, waiting or running."""


class LaunchRequest(NamedTuple):
    """What to start, under a unique name: on this machine the worker on a job's folder, else what is ordered."""

    name: str
    folder: Path
    environment: Mapping[str, str]
    """On this machine, added to the provider's own allow-list; of a rented one, all it is given (and
    readable by whoever may read the account: no secret belongs here)."""
    machine: Machine | None = None
    queued: QueuedWork | None = None
    confirm: Callable[[], None] = lambda: None
    """Called at the last moment before anything is made; what it raises stops that, and nothing was made."""


class InstanceState(StrEnum):
    """What a provider sees of an instance."""

    STARTING = "starting"
    """It exists (and is billed), and its command does not run yet."""
    RUNNING = "running"
    STOPPED = "stopped"
    """It exists and does nothing: its container ended or failed."""
    GONE = "gone"


class Provider(Protocol):
    """Starts and ends workers."""

    def launch(self, request: LaunchRequest) -> Instance:
        """Start a worker; idempotent by name: one that exists already is adopted.

        Raises:
            NoCapacityError: nothing of the offer is free; nothing was started.
            BalanceError: the account cannot pay; nothing was started.
            DoubtfulError: it may have been started. Look for the name; never order again blindly.
            ProviderError: it could not be started.
        """
        ...

    def inspect(self, instance_id: str) -> InstanceState:
        """What has become of an instance."""
        ...

    def terminate(self, name: str, instance_id: str | None) -> TerminationProof | None:
        """End an instance and everything of its name; gone already is success.

        Returns proof of absence, or None when something still runs or proof needs time (call again).
        """
        ...

    def owned(self, owner: str) -> Sequence[Instance]:
        """Everything that exists under our owner's name (`pt-<owner>-...`)."""
        ...
