"""What the workers of an endpoint said last: read when a job of theirs waits or fails, and for no longer.

Worker logs die with the worker (runpod.md 4, 2026-11-22), so they are read while it is there. Lines are
foreign text: whoever shows them masks them.
"""

from collections import deque
from itertools import islice
from typing import Final, NamedTuple

from podtune.core.clock import Monotonic, monotonic
from podtune.core.errors import PodtuneError
from podtune.providers.runpod import serverless_wire as wire
from podtune.providers.runpod.client import RunPodClient, path_to
from podtune.providers.runpod.endpoints import path_of
from podtune.providers.runpod.log_stream import follow_at

LINES: Final = 8
"""Of each worker: a Python traceback's last line and what led to it."""

MOST: Final = 500
"""Lines read of one log: a worker that talks without an end is left."""

WORKERS: Final = 2
"""Looked at; the calls count towards the account's 60 a minute."""

SECONDS: Final = 2.0
"""How long each log is read: the past comes at once, and the stream then stays open."""

_FIRST: Final = ("UNHEALTHY", "INITIALIZING", "RUNNING", "IDLE")
"""Whose words matter most. A throttled worker has no container, and so no log."""


class Said(NamedTuple):
    """The last lines of one worker."""

    worker: str
    status: str
    lines: tuple[str, ...]
    """The oldest first, as they came."""


def last_words(
    client: RunPodClient,
    endpoint_id: str,
    *,
    seconds: float = SECONDS,
    clock: Monotonic = monotonic,
) -> tuple[Said, ...]:
    """The last lines of the workers that matter most; none where nothing can be read.

    A container's own output is taken; where it has said nothing, what RunPod says of it.

    Args:
        client: The control plane.
        endpoint_id: Whose workers.
        seconds: How long one log is read at most.
        clock: Monotonic seconds.
    """
    try:
        workers = client.get(f"{path_of(endpoint_id)}/workers", wire.Workers).workers
    except (
        PodtuneError
    ):  # a help to the reader only: the diagnosis itself says what cannot be asked
        return ()
    rated = [worker for worker in workers if worker.status in _FIRST]
    rated.sort(key=lambda worker: _FIRST.index(worker.status))
    found: list[Said] = []
    for worker in rated[:WORKERS]:
        lines = _tail(client, endpoint_id, worker.id, seconds, clock)
        if lines:
            found.append(Said(worker.id, worker.status, lines))
    return tuple(found)


def _tail(
    client: RunPodClient, endpoint_id: str, worker_id: str, seconds: float, clock: Monotonic
) -> tuple[str, ...]:
    for source in ("container", "system"):
        try:
            path = f"{path_to(f'{path_of(endpoint_id)}/workers', worker_id, 'a worker')}/logs"
            read = follow_at(client, path, tail=LINES, seconds=seconds, source=source, clock=clock)
            lines = deque((one.line for one in islice(read, MOST) if one.line.strip()), LINES)
        except PodtuneError:  # gone meanwhile, as a rule
            return ()
        if lines:
            return tuple(lines)
    return ()
