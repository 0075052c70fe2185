"""The client's side of the queue: `/run`, `/runsync`, `/status` and the rest.

Bodies, statuses and limits as docs.runpod.io has them (operation reference, send requests, read
2026-11-22) and as live captures show them. Texts of errors are ours where neither names any.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, cast

import msgspec

from podtune.testing.http import Request, Response, json_response
from podtune.testing.routes import Call, Door, Route
from podtune.testing.serverless.endpoint import BASE_PATH, Endpoint
from podtune.testing.serverless.jobs import JobStatus, QueuedJob
from podtune.testing.serverless.policy import (
    RUN_BODY_BYTES,
    RUN_KEPT_S,
    RUNSYNC_BODY_BYTES,
    RUNSYNC_KEPT_S,
    RUNSYNC_WAIT_MS,
    BadRequestError,
    queue_is_full,
    read_policy,
    read_wait,
)
from podtune.testing.serverless.queues import Asked, Line, Serverless, refusal
from podtune.testing.serverless.worker import WorkerState

STREAM_WAIT_MS: Final = 9_500
"""How long `/stream` waits for a first piece. 10 s are documented; the SDK (runpod 1.12.0) hangs up
after 10 s itself, so this is a little less."""

Operation = Callable[[Call, Endpoint, Line], Response]


class ClientRoutes:
    """Answers clients, under the cloud's lock."""

    def __init__(self, serverless: Serverless) -> None:
        """`serverless`: the queues."""
        self._serverless = serverless
        self._host = serverless.host

    def routes(self) -> Sequence[Route]:
        """Lines for the cloud's table."""
        table: list[tuple[str, str, str, Operation]] = [
            ("POST", "run", "", self._run),
            ("POST", "runsync", "", self._runsync),
            ("*", "status", "/{job}", self._status),
            ("*", "stream", "/{job}", self._stream),
            ("POST", "cancel", "/{job}", self._cancel),
            ("POST", "retry", "/{job}", self._retry),
            ("POST", "purge-queue", "", self._purge),
            ("GET", "health", "", self._health),
            ("GET", "requests", "", self._requests),
        ]
        return [
            Route(
                method,
                f"{BASE_PATH}/{{endpoint}}/{name}{rest}",
                self._guarded(name, operation),
                f"serverless_{name.replace('-', '_')}",
                Door.OPEN,
            )
            for method, name, rest, operation in table
        ]

    def _guarded(self, name: str, operation: Operation) -> Callable[[Call], Response]:
        """An operation behind key, endpoint, kind and rate limit."""

        def answer(call: Call) -> Response:
            if not self._host.accepts(bearer(call.request)):
                return refusal(401, "unauthorized")
            endpoint = self._host.endpoint(call.params["endpoint"])
            if endpoint is None:
                return refusal(404, "endpoint not found")
            if not endpoint.is_queue:
                return refusal(400, "not allowed for QB API")
            if not self._serverless.calls.admit(endpoint.id, name, self._host.clock.now()):
                return refusal(429, "too many requests")
            self._serverless.tick()
            try:
                return operation(call, endpoint, self._serverless.line(endpoint))
            except BadRequestError as error:
                return refusal(400, str(error))

        return answer

    def _run(self, call: Call, endpoint: Endpoint, line: Line) -> Response:
        asked = _read_job(call.request.body, endpoint, is_sync=False)
        if queue_is_full(len(line.queue.waiting()), endpoint.workers_max):
            return refusal(429, "too many requests: the queue is full")
        return json_response(self._serverless.submit(endpoint, asked).summary())

    def _runsync(self, call: Call, endpoint: Endpoint, line: Line) -> Response:
        wait = call.request.value("wait")
        held = read_wait(wait, RUNSYNC_WAIT_MS)
        asked = _read_job(call.request.body, endpoint, is_sync=True)
        if wait:
            asked = asked._replace(kept=max(asked.kept, held))
        if queue_is_full(len(line.queue.waiting()), endpoint.workers_max):
            return refusal(429, "too many requests: the queue is full")
        job = self._serverless.submit(endpoint, asked)
        until = self._host.clock.now() + held
        return self._serverless.hold(lambda now: _result(line, job, now, until), until)

    def _status(self, call: Call, endpoint: Endpoint, line: Line) -> Response:
        job = line.queue.jobs.get(call.params["job"])
        if job is None:
            return _unknown(call)
        ttl = call.request.value("ttl")
        if ttl:
            if not (ttl.isascii() and ttl.isdigit()) or len(ttl) > 9:
                raise BadRequestError("ttl must be a number of milliseconds")
            job.delete_by = self._host.clock.now() + timedelta(milliseconds=int(ttl))
        return json_response(job.view())

    def _stream(self, call: Call, endpoint: Endpoint, line: Line) -> Response:
        job = line.queue.jobs.get(call.params["job"])
        if job is None:
            return _unknown(call)
        wait = read_wait(call.request.value("wait"), STREAM_WAIT_MS)
        until = self._host.clock.now() + wait
        return self._serverless.hold(lambda now: _pieces(line, job, now, until), until)

    def _cancel(self, call: Call, endpoint: Endpoint, line: Line) -> Response:
        job = line.queue.jobs.get(call.params["job"])
        if job is None:
            return _unknown(call)
        line.queue.cancel(job, self._host.clock.now())
        return json_response(job.summary())

    def _retry(self, call: Call, endpoint: Endpoint, line: Line) -> Response:
        job = line.queue.jobs.get(call.params["job"])
        if job is None:
            return _unknown(call)
        if not line.queue.retry(job, self._host.clock.now()):
            return refusal(400, f"a job that is {job.status} cannot be retried")
        self._serverless.tick()
        return json_response(job.summary())

    def _purge(self, call: Call, endpoint: Endpoint, line: Line) -> Response:
        return json_response({"removed": line.queue.purge(), "status": "completed"})

    def _health(self, call: Call, endpoint: Endpoint, line: Line) -> Response:
        states = line.fleet.counts()
        workers = {state.value.lower(): states[state] for state in WorkerState}
        workers["ready"] = workers["idle"]  # always equal in the captures of 2026-08-06
        return json_response(
            {"jobs": line.queue.counts(), "workers": dict(sorted(workers.items()))}
        )

    def _requests(self, call: Call, endpoint: Endpoint, line: Line) -> Response:
        """Documented by its rate limit only; the shape is ours."""
        return json_response({"requests": [job.view() for job in line.queue.jobs.values()]})


def bearer(request: Request) -> str:
    """The key of a request: `Bearer KEY`, or the bare key, which the documentation's examples send."""
    return request.headers.get("authorization", "").removeprefix("Bearer ").strip()


def _unknown(call: Call) -> Response:
    return refusal(404, f"job {call.params['job']!r} not found")


def _read_job(body: bytes, endpoint: Endpoint, *, is_sync: bool) -> Asked:
    """A job from the body of a request.

    Raises:
        BadRequestError: too large, no JSON object, no input, or a field is wrong.
    """
    limit = RUNSYNC_BODY_BYTES if is_sync else RUN_BODY_BYTES
    # One text for both, as recorded in runpod-python#27 (2023, when the limit was 2 MB).
    complaint = f"json is invalid; max size is {limit // 1024**2} MB"
    if len(body) > limit:
        raise BadRequestError(complaint)
    try:
        decoded: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise BadRequestError(complaint) from None
    if not isinstance(decoded, dict) or "input" not in decoded:
        raise BadRequestError("json is invalid; it needs an input")
    given = cast("dict[str, object]", decoded)
    webhook = given.get("webhook")
    if webhook is not None and not isinstance(webhook, str):
        raise BadRequestError("webhook must be a string")
    return Asked(
        input=given["input"],
        policy=read_policy(given.get("policy"), endpoint.timeout_ms),
        webhook=webhook or None,
        s3_config=given.get("s3Config"),
        is_sync=is_sync,
        kept=timedelta(seconds=RUNSYNC_KEPT_S if is_sync else RUN_KEPT_S),
    )


def _result(line: Line, job: QueuedJob, now: datetime, until: datetime) -> Response | None:
    """The answer to `/runsync`: the whole job once it ended, how it stands when the wait is over."""
    is_there = job.id in line.queue.jobs
    if is_there and not job.status.is_final and now < until:
        return None
    return json_response(job.view())


def _pieces(line: Line, job: QueuedJob, now: datetime, until: datetime) -> Response | None:
    """What was put out since the last call. A job that waits or has ended is not waited for."""
    is_running = job.id in line.queue.jobs and job.status is JobStatus.IN_PROGRESS
    if is_running and not job.pieces and now < until:
        return None
    pieces = [{"output": piece} for piece in job.pieces]
    job.pieces.clear()
    return json_response({"status": job.status.value, "stream": pieces})
