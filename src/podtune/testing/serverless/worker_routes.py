"""The worker's side of the queue, as the SDK's loop speaks it (runpod 1.12.0, read and run 2026-11-22).

Addresses are handed to workers in variables (`RUNPOD_WEBHOOK_GET_JOB` and the like); the key comes
without `Bearer`; JSON comes under the content type of a form.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, cast

import msgspec

from podtune.testing.http import Response, json_response
from podtune.testing.routes import Call, Door, Route
from podtune.testing.serverless.client_routes import bearer
from podtune.testing.serverless.endpoint import BASE_PATH, Endpoint
from podtune.testing.serverless.jobs import ABSENT
from podtune.testing.serverless.policy import CHUNK_BYTES
from podtune.testing.serverless.queues import Line, Serverless, refusal
from podtune.testing.serverless.worker import Worker

NOTHING: Final = Response(204)

IN_PROGRESS: Final = "IN_PROGRESS"
"""`status` of a body that is progress and not a result."""

BATCH_LIMIT: Final = 100
"""Jobs given out by one call at most. Ours."""

Operation = Callable[[Call, Endpoint, Line], Response]


class WorkerRoutes:
    """Answers workers, under the cloud's lock."""

    def __init__(self, serverless: Serverless) -> None:
        """`serverless`: the queues."""
        self._serverless = serverless
        self._host = serverless.host

    def routes(self) -> Sequence[Route]:
        """Lines for the cloud's table."""
        table: list[tuple[str, str, str, Operation]] = [
            ("GET", "job-take", "/{worker}", self._take),
            ("GET", "job-take-batch", "/{worker}", self._take_batch),
            ("GET", "job-stop", "/{worker}", self._stop),
            ("GET", "ping", "/{worker}", self._ping),
            ("POST", "job-done", "/{worker}/{job}", self._done),
            ("POST", "job-stream", "/{worker}/{job}", self._stream),
        ]
        return [
            Route(
                method,
                f"{BASE_PATH}/{{endpoint}}/{name}{rest}",
                self._guarded(operation),
                name.replace("-", "_"),
                Door.OPEN,
            )
            for method, name, rest, operation in table
        ]

    def _guarded(self, operation: Operation) -> Callable[[Call], Response]:
        """An operation behind endpoint and key: the endpoint's own, or one of the account."""

        def answer(call: Call) -> Response:
            endpoint = self._host.endpoint(call.params["endpoint"])
            if endpoint is None or not endpoint.is_queue:
                return refusal(404, "endpoint not found")
            line = self._serverless.line(endpoint)
            key = bearer(call.request)
            if key != line.fleet.key and not self._host.accepts(key):
                return refusal(401, "unauthorized")
            self._serverless.tick()
            return operation(call, endpoint, line)

        return answer

    def _take(self, call: Call, endpoint: Endpoint, line: Line) -> Response:
        return self._give(call, line, 1, is_batch=False)

    def _take_batch(self, call: Call, endpoint: Endpoint, line: Line) -> Response:
        text = _parameter(call, "batch_size")
        count = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
        if count < 1:
            return refusal(400, "batch_size must be a number of 1 or more")
        return self._give(call, line, min(count, BATCH_LIMIT), is_batch=True)

    def _give(self, call: Call, line: Line, count: int, *, is_batch: bool) -> Response:
        """Hold the call until there is a job for the worker."""
        now = self._host.clock.now()
        worker = line.fleet.hear(_name(call), now, is_ready=True)
        if _parameter(call, "job_in_progress") == "0":
            worker.stopping.clear()
        worker.take_poll += 1
        poll, endpoint_id = worker.take_poll, call.params["endpoint"]

        def attempt(now: datetime) -> Response | None:
            if worker.take_poll != poll or not self._may_work(endpoint_id, line, worker):
                return NOTHING
            line.fleet.hear(worker.id, now)
            jobs = line.queue.take(worker.id, count, now)
            if jobs:
                orders = [job.order() for job in jobs]
                return json_response(orders if is_batch else orders[0])
            return NOTHING if now >= until else None

        until = now + timedelta(seconds=self._serverless.options.take_hold_s)
        return self._serverless.hold(attempt, until)

    def _may_work(self, endpoint_id: str, line: Line, worker: Worker) -> bool:
        """Whether a worker still gets jobs.

        One that leaves or is gone does not, nor any of an endpoint whose `workers.max` is 0.
        """
        endpoint = self._host.endpoint(endpoint_id)
        is_there = line.fleet.workers.get(worker.id) is worker and worker.ready_at is not None
        return (
            is_there
            and worker.leave_by is None
            and endpoint is not None
            and endpoint.workers_max > 0
        )

    def _stop(self, call: Call, endpoint: Endpoint, line: Line) -> Response:
        now = self._host.clock.now()
        worker = line.fleet.hear(_name(call), now)
        worker.stop_poll += 1
        poll = worker.stop_poll

        def attempt(now: datetime) -> Response | None:
            is_current = worker.stop_poll == poll and worker.leave_by is None
            if not is_current or line.fleet.workers.get(worker.id) is not worker:
                return NOTHING
            jobs = line.queue.stops(worker.id)
            if jobs:
                return json_response({"jobsToStop": jobs})
            return NOTHING if now >= until else None

        until = now + timedelta(seconds=self._serverless.options.take_hold_s)
        return self._serverless.hold(attempt, until)

    def _ping(self, call: Call, endpoint: Endpoint, line: Line) -> Response:
        now = self._host.clock.now()
        worker = line.fleet.hear(_name(call), now)
        if call.request.value("status") == "unhealthy":
            check, reason = call.request.value("check"), call.request.value("reason")
            worker.problem = f"{check[:80]}: {reason[:256]}"
        in_hand = [job_id for job_id in call.request.value("job_id").split(",") if job_id]
        line.queue.report(worker.id, in_hand, now)
        for job_id in [job_id for job_id in worker.stopping if job_id not in in_hand]:
            del worker.stopping[job_id]
        return json_response({})

    def _done(self, call: Call, endpoint: Endpoint, line: Line) -> Response:
        """A result, or progress. What comes too late for the job is taken and dropped."""
        now = self._host.clock.now()
        worker = line.fleet.hear(_name(call), now)
        worker.stopping.pop(call.params["job"], None)
        if call.params["job"] not in line.queue.jobs:
            return refusal(404, "job not found")
        job = line.queue.held(worker.id, call.params["job"])
        body = _body(call)
        is_progress = body is not None and body.get("status") == IN_PROGRESS
        if job is None:
            return json_response({})
        if body is None or len(call.request.body) > job.result_bytes:
            if not is_progress:  # as seen live: the worker gets 400, the client COMPLETED
                line.queue.finish(job, ABSENT, None, now)
            return refusal(400, "bad request")
        if is_progress:
            line.queue.progress(job, body.get("output"), now)
            return json_response({})
        line.queue.finish(job, body.get("output", ABSENT), body.get("error"), now)
        if body.get("stopPod") is True:
            line.fleet.refresh(worker, now)
        self._serverless.tick()
        return json_response({})

    def _stream(self, call: Call, endpoint: Endpoint, line: Line) -> Response:
        now = self._host.clock.now()
        worker = line.fleet.hear(_name(call), now)
        job = line.queue.held(worker.id, call.params["job"])
        body = _body(call)
        if body is None or "output" not in body:
            return refusal(400, "bad request")
        if job is not None:
            job.reported_at = now
            job.pieces.extend(split(body["output"]))
        return json_response({})


def split(output: object) -> list[object]:
    """A piece of a stream as the platform passes it on: text above 1 MB in several pieces.

    What else is too large stays whole; how RunPod splits it is not published.

    >>> [len(piece) for piece in split("x" * (1024**2 + 5))]
    [1048576, 5]
    """
    if not isinstance(output, str) or len(output) <= CHUNK_BYTES:
        return [output]
    return [output[at : at + CHUNK_BYTES] for at in range(0, len(output), CHUNK_BYTES)]


def _name(call: Call) -> str:
    """The worker's id, without what the SDK appends to an address that has no query."""
    return call.params["worker"].partition("&")[0]


def _parameter(call: Call, name: str) -> str:
    """A parameter of the query, or of what the SDK appended with `&` to an address without one."""
    appended = call.params["worker"].split("&")[1:]
    pairs = dict(pair.split("=", 1) for pair in appended if "=" in pair)
    return call.request.value(name) or pairs.get(name, "")


def _body(call: Call) -> dict[str, object] | None:
    """The JSON object of a body, whatever content type it came under."""
    try:
        decoded: object = msgspec.json.decode(call.request.body)
    except (msgspec.DecodeError, RecursionError):
        return None
    return cast("dict[str, object]", decoded) if isinstance(decoded, dict) else None
