"""How an endpoint's workers are, for people: what holds a job up, and what the workers said last.

Reads only, and a failure to read the workers' own words is no failure: they are a help to the reader.
"""

from typing import Final, NamedTuple

from podtune.core.clock import Monotonic, monotonic
from podtune.core.errors import PodtuneError
from podtune.core.redact import scrub
from podtune.providers.runpod import endpoints, worker_logs
from podtune.providers.runpod import serverless_wire as wire
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.endpoints import Diagnosis, Wait

LONGEST: Final = 200
"""Characters of a line that are shown: a log may hold a whole request."""


class Health(NamedTuple):
    """What an endpoint's workers do, and what they said."""

    diagnosis: Diagnosis
    lines: tuple[str, ...]
    """`worker: line`, masked; the oldest first."""


def look(
    client: RunPodClient, endpoint: wire.Endpoint, *, clock: Monotonic = monotonic
) -> Health | None:
    """Why an endpoint's workers would not take a job; None where nothing is wrong.

    Args:
        client: The control plane.
        endpoint: As it was read.
        clock: Bounds how long logs are read.

    Raises:
        PodtuneError: RunPod cannot be asked.
    """
    found = endpoints.diagnose(endpoint, endpoints.workers(client, endpoint.id))
    if not found.is_hopeless:
        return None
    return Health(found, last_words(client, endpoint.id, clock=clock))


def failing(
    client: RunPodClient, endpoint: wire.Endpoint | None, *, clock: Monotonic = monotonic
) -> Health | None:
    """Whether workers of an endpoint fail as they start; None also where RunPod does not tell.

    Args:
        client: The control plane.
        endpoint: None where there is none yet.
        clock: Bounds how long logs are read.
    """
    if endpoint is None:
        return None
    try:
        found = look(client, endpoint, clock=clock)
    except PodtuneError:  # a word beside something else, which says by itself what cannot be asked
        return None
    return found if found is not None and found.diagnosis.wait is Wait.CRASH_LOOP else None


def last_words(
    client: RunPodClient, endpoint_id: str, *, clock: Monotonic = monotonic
) -> tuple[str, ...]:
    """What an endpoint's workers said last, as it may stand on a screen; none where nothing can be read."""
    return tuple(
        f"{said.worker}: {shown(line)}"
        for said in worker_logs.last_words(client, endpoint_id, clock=clock)
        for line in said.lines
    )


def shown(line: str) -> str:
    """A line of a worker's log in one line, without keys and without signs that move a cursor."""
    plain = "".join(sign if sign.isprintable() else " " for sign in scrub(line))
    flat = " ".join(plain.split())
    return flat if len(flat) <= LONGEST else f"{flat[: LONGEST - 3]}..."
