"""The seam between the stand-in cloud and what runs in its pods.

The cloud decides when a container starts, is restarted, stopped or removed; an executor does it:
`process_pods` with real local processes, `scripted_pods` with a script on the virtual clock. All
calls but `request` come under the cloud's lock and must return at once; `request` comes without it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from podtune.testing.http import Request, Response


class Mount(NamedTuple):
    """A disk that outlives the container."""

    path: str
    """Where the container sees it: `/workspace`."""
    key: str
    """Which disk: the pod's id for its own, the volume's id for a network volume (shared by pods)."""
    is_network: bool = False
    """A network volume stays when the pod goes."""


class ContainerSpec(NamedTuple):
    """A container as an executor is told to start it."""

    pod_id: str
    image: str
    args: str
    """As given at the create: one string, parsed like a shell does; empty for the image's own command."""
    env: Mapping[str, str]
    """The platform's own variables included."""
    ports: tuple[str, ...]
    """Such as `8466/http`."""
    disk_gb: int
    mount: Mount | None
    gpu_id: str
    """Empty on a machine without GPU."""
    gpu_count: int
    name: str = ""
    """As given at the create; fault rules and logs name pods by it."""
    clock_skew_s: float = 0.0
    """How far the machine's clock is ahead of the cloud's (a fault rule)."""


class Usage(NamedTuple):
    """Load of a container, in percent (0 to 100)."""

    gpu: float = 0.0
    gpu_memory: float = 0.0
    cpu: float = 0.0
    memory: float = 0.0


class PodExecutor(Protocol):
    """Runs containers, one at a time for each pod."""

    def pull_problem(self, image: str) -> str | None:
        """Why an image cannot be pulled (a system log line says so, the pod stays STARTING), or None."""
        ...

    def start(self, pod: ContainerSpec) -> None:
        """Start a container, with a fresh container disk and the pod's own mount as it was left."""
        ...

    def poll(self, pod_id: str) -> int | None:
        """Exit code once the container's command ended; None while it runs, or where none was started."""
        ...

    def stop(self, pod_id: str, grace_s: float) -> None:
        """End a pod's container: SIGTERM, then SIGKILL once `grace_s` is over. Nothing there is success.

        The call does not wait: `start` of the same pod may follow, and must first see to it that
        nothing of the old container is left.
        """
        ...

    def remove(self, pod_id: str) -> None:
        """The pod is terminated: nothing of it may run on, and its own disks go (network volumes stay)."""
        ...

    def lines(self, pod_id: str) -> Sequence[str]:
        """What the pod's containers printed since the last call, line by line."""
        ...

    def request(self, pod_id: str, port: int, request: Request) -> Response:
        """Hand a request of the proxy to the container; 502 where nothing listens.

        `request.path` is what follows `/proxy/{pod}-{port}`.
        """
        ...

    def usage(self, pod_id: str) -> Usage:
        """Load of the running container."""
        ...


class NoPods:
    """Runs nothing: containers that never end, print nothing and listen nowhere."""

    def pull_problem(self, image: str) -> str | None:
        """No image is refused."""

    def start(self, pod: ContainerSpec) -> None:
        """Nothing starts."""

    def poll(self, pod_id: str) -> int | None:
        """It never ends."""

    def stop(self, pod_id: str, grace_s: float) -> None:
        """Nothing to stop."""

    def remove(self, pod_id: str) -> None:
        """Nothing to remove."""

    def lines(self, pod_id: str) -> Sequence[str]:
        """It prints nothing."""
        return ()

    def request(self, pod_id: str, port: int, request: Request) -> Response:
        """Nothing listens."""
        return Response(502, {"content-type": "text/plain"}, b"bad gateway")

    def usage(self, pod_id: str) -> Usage:
        """It does nothing."""
        return Usage()
