"""The stand-in cloud: a RunPod without machines, complete enough to train through.

Synchronous: `handle(request) -> response`. All time comes from the clock that is passed, all chance
from one seeded source, and what runs in pods from an executor. Shells give it sockets (`server`) or
plug it under a client in this process (`transport`).
"""

import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from podtune.testing.account import Account, Happening
from podtune.testing.billing import Billing
from podtune.testing.catalogue import Catalogue
from podtune.testing.clock import Clock, RealClock
from podtune.testing.door import Doorkeeper
from podtune.testing.endpoints import Endpoints
from podtune.testing.executor import NoPods, PodExecutor
from podtune.testing.faults import Drawn, FaultRule, Faults
from podtune.testing.gpus import GpuRow
from podtune.testing.graphql import Graphql
from podtune.testing.http import Refused, Request, Response
from podtune.testing.interference import Interference
from podtune.testing.logs import Reading, read, stream
from podtune.testing.meter import Meter
from podtune.testing.options import CloudOptions
from podtune.testing.playground import Playground
from podtune.testing.pod_lifecycle import Lifecycle
from podtune.testing.pods import Pods
from podtune.testing.registries import Registries
from podtune.testing.routes import Call, Door, Route, RouteTable
from podtune.testing.templates import Templates
from podtune.testing.volumes import Volumes

SSE_HEADERS: Final = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache",
    "connection": "keep-alive",
    "x-accel-buffering": "no",
}
"""Of a log stream (OpenAPI document of REST v2, 2026-08-18)."""


class Cloud:
    """One account at the stand-in cloud. Safe to call from several threads.

    Args:
        clock: The cloud's time; the machine's when None.
        seed: Of everything random: ids, data centres, faults.
        executor: Runs the pods' containers; none run when None.
        options: How it behaves.
        faults: Rules to begin with.
        gpus: Rows of the catalogue; those of `catalogue.GPUS` and this machine when None.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        seed: int = 0,
        executor: PodExecutor | None = None,
        options: CloudOptions | None = None,
        *,
        faults: Sequence[FaultRule] = (),
        gpus: Sequence[GpuRow] | None = None,
    ) -> None:
        self.seed = seed
        self.random = random.Random(seed)  # noqa: S311 - a simulation, replayed by its seed
        self.lock = threading.RLock()
        clock = clock or RealClock()
        self.faults = Faults(self.random, seed, clock.now(), tuple(faults))
        self.account = Account(
            clock=clock,
            random=self.random,
            executor=executor or NoPods(),
            options=options or CloudOptions(),
            faults=self.faults,
        )
        self.meter = Meter(self.account)
        self.lifecycle = Lifecycle(self.account, self.meter)
        self.catalogue = Catalogue(self.account, gpus)
        self.doorkeeper = Doorkeeper(self.account)
        self._interference = Interference(self.account)
        self._pods = Pods(self.account, self.lifecycle, self.catalogue)
        self._is_ticking = False
        self._on_tick: list[Callable[[], None]] = []
        self._on_close: list[Callable[[], None]] = []
        self._next_events: list[Callable[[], datetime | None]] = [self.lifecycle.next_event]
        self.routes = RouteTable()
        self._mount_all()

    @property
    def clock(self) -> Clock:
        """The cloud's time."""
        return self.account.clock

    @property
    def executor(self) -> PodExecutor:
        """What runs the pods' containers."""
        return self.account.executor

    @property
    def options(self) -> CloudOptions:
        """How the cloud behaves; may be replaced while it runs (limits keep what they counted)."""
        return self.account.options

    @options.setter
    def options(self, options: CloudOptions) -> None:
        self.account.options = options

    @property
    def history(self) -> Sequence[Drawn]:
        """Every fault that struck, in order."""
        return self.faults.history

    def happenings(self, after: int = 0) -> list[Happening]:
        """Lines of the journal after a number."""
        with self.lock:
            return [line for line in self.account.journal if line.number > after]

    def mount(self, routes: Sequence[Route]) -> None:
        """Add routes; of several that fit a request, the first one mounted wins."""
        self.routes.add(routes)

    def attach(
        self,
        tick: Callable[[], None],
        close: Callable[[], None],
        next_event: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        """Let another part of the cloud (the serverless queue) take part in ticks and the end.

        Args:
            tick: Called in every tick.
            close: Called at the end.
            next_event: When time alone will change something of it.
        """
        self._on_tick.append(tick)
        self._on_close.append(close)
        self._next_events.append(next_event)

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        keeper = self.doorkeeper
        with self.lock:
            try:
                route, call, headers = self._let_in(request)
            except Refused as refused:
                return keeper.signed(request, refused.response)
            struck = self._interference.draw(route, call)
            if route.is_locked:
                answer = self._interference.answer(route, call, struck)
                return keeper.signed(request, answer, headers)
        return self._interference.answer(route, call, struck)

    def tick(self) -> None:
        """Bring everything to where the clock says; called before every answer, and by shells."""
        with self.lock:
            if self._is_ticking:
                return  # a pod's script that calls back
            self._is_ticking = True
            try:
                self.lifecycle.tick()
                for tick in self._on_tick:
                    tick()
            finally:
                self._is_ticking = False

    def next_event(self) -> datetime | None:
        """When something will happen by itself next (a virtual clock may leap there)."""
        with self.lock:
            times = [next_event() for next_event in self._next_events]
            return min((time for time in times if time is not None), default=None)

    def close(self) -> None:
        """Terminate every pod, and whatever else runs."""
        with self.lock:
            for close in self._on_close:
                close()
            for pod in self.account.live_pods():
                self.lifecycle.terminate(pod)

    def _let_in(self, request: Request) -> tuple[Route, Call, Mapping[str, str]]:
        """The route of a request, and headers for its answer.

        Raises:
            Refused: it does not get that far.
        """
        self.doorkeeper.look(request)
        match = self.routes.find(request.method, request.path)
        if match.route is None:
            raise self.doorkeeper.no_route(match)
        call, headers = self.doorkeeper.admit(request, match.route.door, match.params)
        self.tick()
        return match.route, call, headers

    def _mount_all(self) -> None:
        account, lifecycle, meter = self.account, self.lifecycle, self.meter
        parts = (
            self._pods,
            self.catalogue,
            Volumes(account, meter),
            Templates(account),
            Registries(account),
            Endpoints(account, self.catalogue),
            Billing(account, meter),
            Graphql(account, lifecycle, meter, self.doorkeeper.is_key),
        )
        for part in parts:
            self.mount(part.routes())
        self.mount(
            [
                Route("GET", "/v2/pods/{id}/logs", self._logs, "pod_logs"),
                Route("*", "/proxy/{target}", self._proxy, "proxy", Door.OPEN, is_locked=False),
                Route(
                    "*",
                    "/proxy/{target}/{rest...}",
                    self._proxy,
                    "proxy",
                    Door.OPEN,
                    is_locked=False,
                ),
            ]
        )
        if account.options.is_playground:
            self.mount(Playground(account, meter, self.catalogue).routes())

    def _logs(self, call: Call) -> Response:
        pod = self._pods.find(call.params["id"])
        reading = read(pod.logs, call.request)
        return Response(200, SSE_HEADERS, self._log_stream(pod.id, reading))

    def _log_stream(self, pod_id: str, reading: Reading) -> Iterator[bytes]:
        pod = self.account.pods[pod_id]

        def refresh() -> bool:
            self.tick()
            return pod.terminated_at is None

        pieces = stream(pod.logs, reading, refresh)
        while True:
            with self.lock:
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece

    def _proxy(self, call: Call) -> Response:
        """The pods' HTTP ports: open to everybody who knows the address, as the real proxy is."""
        pod_id, _, port = call.params["target"].rpartition("-")
        with self.lock:
            pod = self.account.pods.get(pod_id)
            is_open = pod is not None and pod.terminated_at is None and f"{port}/http" in pod.ports
            is_up = pod is not None and pod.has_container
        if not is_open:
            return Response(404, {"content-type": "text/plain"}, b"error code: 404")
        if not is_up:
            return Response(502, {"content-type": "text/plain"}, b"error code: 502")
        inner = call.request._replace(path="/" + call.params.get("rest", ""))
        return self.executor.request(pod_id, int(port), inner)
