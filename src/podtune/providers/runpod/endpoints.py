"""Serverless endpoints: listed, made, changed, emptied, deleted; and why a job of theirs waits.

Whose endpoint it is, and what it should be like, is decided in `app/deploy.py`. Nothing here waits.
"""

from collections.abc import Generator
from contextlib import contextmanager
from enum import StrEnum
from typing import Final, NamedTuple

from podtune.core.errors import CredentialsError, NoCapacityError, SpecError
from podtune.providers.runpod import serverless_wire as wire
from podtune.providers.runpod.client import RunPodClient, path_to

_CATALOGUE: Final = {"include": "AVAILABILITY", "product": "SERVERLESS"}


@contextmanager
def refusals() -> Generator[None]:
    """Refusals of what needs no free machine: a 400 is a broken rule, a 403 the key's.

    For pods the same answers may mean that none is free (see `answers`).

    Raises:
        SpecError: RunPod's rules do not allow it.
        CredentialsError: the key may not write here.
    """
    try:
        yield
    except (NoCapacityError, SpecError) as error:
        if error.context.get("status") == 403:
            raise CredentialsError(
                error.message,
                code="key_scope",
                hint="give the key read and write access to serverless at console.runpod.io, Settings, API Keys",
                context=error.context,
            ) from error
        raise SpecError(
            error.message,
            code="runpod_rule",
            hint="change the option it names; where podtune sent it by itself, report it",
            context=error.context,
        ) from error


def path_of(endpoint_id: str) -> str:
    """Where an endpoint is, below the base address.

    Raises:
        NotFoundError: no endpoint has such an id; nothing of it gets into an address.
    """
    return path_to("/serverless", endpoint_id, "an endpoint")


def listed(client: RunPodClient) -> list[wire.Endpoint]:
    """Every endpoint of the account.

    Raises:
        PodtuneError: the list cannot be read whole; nothing is known then.
    """
    pages = client.pages("/serverless", wire.EndpointList)
    return [endpoint for page in pages for endpoint in page.endpoints]


def get(client: RunPodClient, endpoint_id: str) -> wire.Endpoint:
    """One endpoint.

    Raises:
        NotFoundError: there is no such endpoint.
        PodtuneError: RunPod cannot be asked.
    """
    return client.get(path_of(endpoint_id), wire.Endpoint)


def create(client: RunPodClient, body: wire.EndpointBody) -> wire.Endpoint:
    """Make an endpoint. Costs nothing until a worker of it runs.

    Raises:
        DoubtfulError: it may exist: look for its name before anything is sent again.
        PodtuneError: refused, see `answers`.
    """
    with refusals():
        return client.create("/serverless", body, wire.Endpoint)


def change(client: RunPodClient, endpoint_id: str, body: wire.EndpointBody) -> wire.Endpoint:
    """Change the given fields of an endpoint.

    Raises:
        PodtuneError: see `RunPodClient.change`.
    """
    with refusals():
        return client.change(path_of(endpoint_id), body, wire.Endpoint)


def delete(client: RunPodClient, endpoint_id: str) -> None:
    """Delete an endpoint, with its workers and the jobs that wait or run; gone already is success.

    Raises:
        NotFoundError: no endpoint has such an id.
        PodtuneError: RunPod cannot be asked.
    """
    client.remove(path_of(endpoint_id))


def workers(client: RunPodClient, endpoint_id: str) -> wire.WorkerSummary:
    """What an endpoint's workers do, counted.

    Raises:
        NotFoundError: there is no such endpoint.
        PodtuneError: RunPod cannot be asked.
    """
    return client.get(f"{path_of(endpoint_id)}/workers", wire.Workers).summary


def cards(client: RunPodClient) -> list[wire.PoolCard]:
    """The catalogue as serverless has it: every card with its pool, price and stock.

    Raises:
        PodtuneError: RunPod cannot be asked.
    """
    pages = client.pages("/catalog/gpus", wire.PoolCardList, _CATALOGUE)
    return [card for page in pages for card in page.gpus]


class Wait(StrEnum):
    """Why a job is still in the queue."""

    SWITCHED_OFF = "workers_max_0"
    CRASH_LOOP = "crash_loop"
    NO_CAPACITY = "no_capacity"
    STARTING = "starting"
    BUSY = "busy"
    NOT_YET = "not_yet"


class Diagnosis(NamedTuple):
    """What holds a job up, for people."""

    wait: Wait
    words: str
    hint: str
    """The next step; empty where waiting is all there is to do."""

    @property
    def is_hopeless(self) -> bool:
        """Whether waiting alone never helps."""
        return self.wait in {Wait.SWITCHED_OFF, Wait.CRASH_LOOP}


def diagnose(endpoint: wire.Endpoint, seen: wire.WorkerSummary) -> Diagnosis:
    """Why a job waits, by the endpoint's limits and what its workers do now.

    Four of five "capacity" timeouts were crash loops (runpod-mcp#62), so workers are looked at first.

    >>> diagnose(wire.Endpoint(id="e"), wire.WorkerSummary(throttled=1, total=1)).wait.value
    'no_capacity'
    """
    limits = endpoint.workers or wire.EndpointWorkers()
    if limits.max == 0:
        return Diagnosis(
            Wait.SWITCHED_OFF,
            "the endpoint may have no worker (workers.max is 0: RunPod sets it so after 7 days without a job)",
            "podtune runpod deploy sets it again",
        )
    if seen.unhealthy and not seen.running + seen.idle:
        return Diagnosis(
            Wait.CRASH_LOOP,
            f"{seen.unhealthy} of {seen.total} workers fail as they start: the container ends, or does not fit the host",
            "read the worker's log at console.runpod.io, Serverless; try the image with docker run --rm IMAGE python handler.py",
        )
    if seen.throttled and not seen.running + seen.idle + seen.initializing:
        return Diagnosis(
            Wait.NO_CAPACITY,
            "no card of the endpoint's pools is free now",
            "wait, or allow more cards: podtune runpod deploy --gpu CARD --gpu CARD",
        )
    if seen.initializing:
        return Diagnosis(
            Wait.STARTING, f"{seen.initializing} worker starts: the image is pulled", ""
        )
    if seen.running:
        return Diagnosis(Wait.BUSY, f"all {seen.running} workers are busy with other jobs", "")
    return Diagnosis(Wait.NOT_YET, "no worker was started yet", "")
