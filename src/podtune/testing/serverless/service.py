"""The serverless queue as a part of the stand-in cloud.

`attach(cloud)` gives a cloud the job API and its workers; without it endpoints are settings only.
"""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, cast

from podtune.testing.account import Account
from podtune.testing.account import Endpoint as Record
from podtune.testing.clock import Clock
from podtune.testing.cloud import SSE_HEADERS, Cloud
from podtune.testing.executor import PodExecutor
from podtune.testing.gpus import GpuRow
from podtune.testing.http import Response, refuse
from podtune.testing.logs import read, stream
from podtune.testing.meter import DISK_RUNNING
from podtune.testing.routes import Call, Route
from podtune.testing.serverless.client_routes import ClientRoutes
from podtune.testing.serverless.endpoint import IDLE_TIMEOUT_S, Endpoint
from podtune.testing.serverless.queues import Serverless, ServerlessOptions
from podtune.testing.serverless.webhooks import Poster
from podtune.testing.serverless.worker import WorkerTimes
from podtune.testing.serverless.worker_routes import WorkerRoutes

LOGS: Final = "/v2/serverless/{id}/workers/{worker}/logs"

NO_STOCK: Final = "NONE"


def attach(
    cloud: Cloud, options: ServerlessOptions | None = None, post: Poster | None = None
) -> Serverless:
    """Give a cloud the serverless queue.

    Args:
        cloud: Not yet served.
        options: Of the queue; by default workers boot, restart and end as fast as the cloud's pods.
        post: Sends webhooks; real calls to this machine when None.
    """
    pods = cloud.options
    times = WorkerTimes(
        boot_s=pods.provisioning_s + pods.pull_s,
        restart_s=pods.restart_s,
        grace_s=pods.stop_grace_s,
    )
    serverless = Serverless(CloudHost(cloud), options or ServerlessOptions(times=times), post)
    cloud.mount(ClientRoutes(serverless).routes())
    cloud.mount(WorkerRoutes(serverless).routes())
    cloud.mount([Route("GET", LOGS, WorkerLogs(cloud, serverless).answer, "worker_logs")])
    cloud.attach(serverless.tick, serverless.close, serverless.next_event)
    _join(cloud.account, serverless)
    return serverless


def _join(account: Account, serverless: Serverless) -> None:
    """Let the endpoints of REST v2 know their workers."""

    def workers_of(record: Record) -> Sequence[dict[str, object]]:
        endpoint = serverless.host.endpoint(record.id)
        return serverless.workers(endpoint) if endpoint and endpoint.is_queue else ()

    account.workers_of = workers_of
    account.on_endpoint_deleted = lambda _: serverless.tick()


class CloudHost:
    """A cloud, as the queue sees it (`endpoint.Host`)."""

    def __init__(self, cloud: Cloud) -> None:
        """`cloud`: whose endpoints these are."""
        self._cloud = cloud

    @property
    def clock(self) -> Clock:
        """The cloud's time."""
        return self._cloud.clock

    @property
    def random(self) -> random.Random:
        """The cloud's one source of chance."""
        return self._cloud.random

    @property
    def lock(self) -> threading.RLock:
        """The cloud's lock."""
        return self._cloud.lock

    @property
    def executor(self) -> PodExecutor:
        """Runs pods and workers."""
        return self._cloud.executor

    @property
    def base_url(self) -> str:
        """Where the cloud is reached."""
        return self._cloud.options.base_url

    def endpoint_ids(self) -> Sequence[str]:
        """All endpoints."""
        return list(self._cloud.account.endpoints)

    def endpoint(self, endpoint_id: str) -> Endpoint | None:
        """An endpoint as REST v2 set it."""
        record = self._cloud.account.endpoints.get(endpoint_id)
        return None if record is None else self._read(record)

    def cap_workers(self, endpoint_id: str, workers_max: int) -> None:
        """Lower an endpoint's `workers.max`, as the platform does with idle ones."""
        record = self._cloud.account.endpoints[endpoint_id]
        workers = cast("dict[str, object]", record.settings["workers"])
        record.settings["workers"] = {**workers, "max": workers_max}
        self.note("endpoint idle", f"{endpoint_id} has {workers_max} workers at most from now on")

    def note(self, what: str, detail: str) -> None:
        """A line of the cloud's journal."""
        self._cloud.account.note(what, detail=detail)

    def charge(self, endpoint: Endpoint, since: datetime, until: datetime) -> None:
        """Bill a worker's cards and its container disk."""
        meter, span = self._cloud.meter, (since, until)
        meter.charge("serverless", endpoint.id, "gpu", endpoint.usd_per_hour, span)
        meter.charge("serverless", endpoint.id, "disk", DISK_RUNNING * endpoint.disk_gb, span)

    def accepts(self, key: str) -> bool:
        """A key of the account; one of a pod opens only its pod."""
        is_pod = key in self._cloud.account.pod_keys
        return bool(key) and not is_pod and self._cloud.doorkeeper.is_key(key)

    def _read(self, record: Record) -> Endpoint:
        settings = record.settings
        workers = cast("dict[str, int]", settings["workers"])
        scaling = cast("dict[str, float]", settings["scaling"])
        gpu = cast("dict[str, object]", settings.get("gpu") or {})
        centers = cast("list[str]", settings["dataCenterIds"])
        volumes = cast("list[str]", settings["networkVolumes"])
        row = self._card(gpu, centers)
        count = cast("int", gpu.get("count", 1)) if gpu else 0
        is_free = row is not None or not gpu
        return Endpoint(
            id=record.id,
            created_at=record.created_at,
            is_queue=record.is_queue,
            workers_min=workers["min"],
            workers_max=workers["max"],
            idle_timeout_s=int(workers.get("idleTimeout", IDLE_TIMEOUT_S)),
            queue_delay_s=scaling.get("queueDelay"),
            request_count=int(scaling.get("requestCount", 1)),
            timeout_ms=cast("int", settings["timeout"]),
            image=cast("str", settings["image"]),
            args=cast("str", settings["args"]),
            env=cast("dict[str, str]", settings["env"]),
            disk_gb=cast("int", settings["disk"]),
            volume_id=volumes[0] if volumes else None,
            gpu_id=row.id if row else "",
            gpu_count=count,
            data_center=_center(row, centers),
            usd_per_hour=Decimal(row.serverless or 0) * count if row else Decimal(0),
            has_capacity=is_free and self._cloud.account.balance_usd > 0,
            version=record.version,
        )

    def _card(self, gpu: dict[str, object], centers: Sequence[str]) -> GpuRow | None:
        """The first card of an endpoint's pools that is free."""
        pools = cast("list[str]", gpu.get("pools") or [])
        excluded = {name.strip() for name in cast("list[str]", gpu.get("excludedTypes") or [])}
        faults = self._cloud.account.faults
        fitting = (
            row
            for row in self._cloud.catalogue.rows.values()
            if row.pool in pools
            and row.id not in excluded
            and _center(row, centers)
            and not faults.shows_drought(row.id, self._cloud.account.now)
        )
        return next(fitting, None)


def _center(row: GpuRow | None, wanted: Sequence[str]) -> str:
    """A data centre where a card is free; empty where none is."""
    if row is None:
        return wanted[0] if wanted else ""
    free = [center for center, level in row.stock.items() if level != NO_STOCK]
    return next((center for center in free if not wanted or center in wanted), "")


class WorkerLogs:
    """The log stream of a worker, read like a pod's."""

    def __init__(self, cloud: Cloud, serverless: Serverless) -> None:
        self._cloud = cloud
        self._serverless = serverless

    def answer(self, call: Call) -> Response:
        """Open the stream."""
        endpoint = self._serverless.host.endpoint(call.params["id"])
        if endpoint is None:
            raise refuse(404, "endpoint not found")
        fleet = self._serverless.line(endpoint).fleet
        worker = fleet.workers.get(call.params["worker"])
        if worker is None:
            raise refuse(404, "worker not found")

        def goes_on() -> bool:
            self._cloud.tick()
            return fleet.workers.get(worker.id) is worker

        pieces = stream(worker.log, read(worker.log, call.request), goes_on)
        return Response(200, SSE_HEADERS, self._locked(lambda: next(pieces, None)))

    def _locked(self, piece: Callable[[], bytes | None]) -> Iterator[bytes]:
        while True:
            with self._cloud.lock:
                found = piece()
            if found is None:
                return
            yield found
