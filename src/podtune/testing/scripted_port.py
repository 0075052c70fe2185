"""The token-protected port of a played pod.

Answers the messages of `podtune.core.handover` as a pod's own program does
(`runpod-worker/pod/receive.py`).
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from podtune.core.artifact import ADAPTER_WEIGHTS
from podtune.core.handover import CHUNK_BYTES, TAIL_BYTES, BundleByPort, HandOver
from podtune.testing.http import Request, Response
from podtune.testing.scripted_worker import SEAL, Disk, ScriptedWorker
from podtune.testing.scripts import Misfortune, Script

BUSY: Final = ("receiving", "installing", "checking", "training", "delivering")
_HEADERS: Final = {"content-type": "application/json", "x-podtune": "1"}
_BYTES: Final = {"content-type": "application/octet-stream", "x-podtune": "1"}
_GPU: Final = {
    "util": 97.0, "memory_used_bytes": 20 * 2**30, "memory_total_bytes": 48 * 2**30, "power_w": 240.0
}  # fmt: skip


class RefusedError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, reason: str, **facts: object) -> None:
        super().__init__(reason)
        self.status, self.reason, self.facts = status, reason, facts


class ScriptedPort:
    """Answers for one attempt.

    Args:
        worker: Is handed the work.
        disk: What may be fetched.
        script: Whether a file arrives damaged.
        environment: The pod's, with the token's sha256.
        started_at: When the container started.
    """

    def __init__(
        self,
        worker: ScriptedWorker,
        disk: Disk,
        script: Script,
        environment: Mapping[str, str],
        started_at: datetime,
    ) -> None:
        self.handed: HandOver | None = None
        self.is_released = False
        self._worker, self._disk, self._script = worker, disk, script
        self._job = environment["PODTUNE_JOB"]
        self._attempt = int(environment["PODTUNE_ATTEMPT"])
        self._token_sha256 = environment["PODTUNE_TOKEN_SHA256"]
        self._started_at = started_at
        self._now = started_at
        self._routes: dict[tuple[str, str], Callable[[Request, str], Response]] = {
            ("GET", "status"): self._status,
            ("GET", "bundle"): self._received,
            ("GET", "events"): lambda ask, _: _tail(self._disk.events, ask),
            ("GET", "log"): lambda ask, _: _tail(self._disk.log, ask),
            ("GET", "files"): self._files,
            ("GET", "checkpoints"): self._checkpoints,
            ("POST", "hand-over"): self._hand_over,
            ("PUT", "bundle"): self._append,
            ("PUT", "address"): self._address,
            ("POST", "cancel"): self._cancel,
            ("POST", "release"): self._release,
        }

    def answer(self, request: Request, now: datetime) -> Response:
        """One request at a time of the cloud's clock."""
        self._now = now
        verb, _, rest = request.path.strip("/").partition("/")
        if verb == "health":
            return _json({"ok": True})
        try:
            self._refuse_stranger(request)
            route = self._routes.get((request.method, verb))
            if route is None:
                raise RefusedError(404, "there is nothing of that name")
            return route(request, rest)
        except RefusedError as refused:
            return _json({"reason": refused.reason, **refused.facts}, refused.status)

    def _refuse_stranger(self, request: Request) -> None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        digest = hashlib.sha256(token.encode()).hexdigest()
        if not hmac.compare_digest(digest, self._token_sha256):
            raise RefusedError(401, "the job's token is needed")

    def _status(self, _ask: Request, _rest: str) -> Response:
        worker = self._worker
        return _json(
            {
                "phase": worker.phase,
                "detail": worker.detail,
                "attempt": self._attempt,
                "worker_exit": worker.exit_code,
                "uptime_s": (self._now - self._started_at).total_seconds(),
                "disk_free_bytes": 50 * 10**9,
                "gpus": [_GPU if worker.phase == "training" else {**_GPU, "util": 0.0}],
                "events_bytes": len(self._disk.events),
                "log_bytes": len(self._disk.log),
            }
        )

    def _hand_over(self, ask: Request, _rest: str) -> Response:
        try:
            handed = HandOver.model_validate_json(ask.body)
        except ValidationError:
            raise RefusedError(400, "the hand-over is malformed") from None
        if (handed.job, handed.attempt) != (self._job, self._attempt):
            raise RefusedError(409, "another job or attempt is meant", kind="other")
        if self._attempt in self._disk.begun or self._worker.phase not in ("waiting", "receiving"):
            raise RefusedError(409, "this attempt has begun already", kind="begun")
        if not isinstance(handed.bundle, BundleByPort) or handed.deliver.via != "port":
            raise RefusedError(400, "a played pod knows the port only")
        self.handed = handed
        self._worker.event_key = handed.event_key.get_secret_value()
        self._worker.phase, self._worker.detail = "receiving", "the bundle"
        self._begin_when_whole(handed.bundle)
        return _json({"accepted": True, "received": len(self._disk.bundle)})

    def _append(self, ask: Request, _rest: str) -> Response:
        here = len(self._disk.bundle)
        bundle = self.handed.bundle if self.handed else None
        if self._worker.phase != "receiving" or not isinstance(bundle, BundleByPort):
            raise RefusedError(409, "no bundle is awaited", received=here)
        if len(ask.body) > CHUNK_BYTES:
            raise RefusedError(413, f"a body is at most {CHUNK_BYTES} bytes")
        if _number(ask, "offset") != here or here + len(ask.body) > bundle.bytes:
            raise RefusedError(409, f"{here} bytes are here", received=here)
        self._disk.bundle += ask.body
        received = len(self._disk.bundle)
        self._begin_when_whole(bundle)
        return _json({"received": received})

    def _begin_when_whole(self, bundle: BundleByPort) -> None:
        if len(self._disk.bundle) < bundle.bytes:
            return
        if hashlib.sha256(self._disk.bundle).hexdigest() != bundle.sha256:
            self._disk.bundle = b""
            raise RefusedError(422, "the bundle is another file", received=0)
        self._worker.begin(self._now)

    def _received(self, _ask: Request, _rest: str) -> Response:
        total = self.handed.bundle.bytes if self.handed else None
        awaited = self._worker.phase in ("waiting", "receiving")
        here = len(self._disk.bundle) if awaited else total or 0
        return _json({"received": here, "total": total})

    def _address(self, _ask: Request, _rest: str) -> Response:
        raise RefusedError(409, "nothing is written to addresses here")

    def _cancel(self, _ask: Request, _rest: str) -> Response:
        self._worker.cancel(self._now)
        return _json({"accepted": True}, 202)

    def _release(self, _ask: Request, _rest: str) -> Response:
        if self._worker.phase in BUSY:
            raise RefusedError(409, f"the machine is {self._worker.phase}", kind="busy")
        self.is_released = True
        return _json({"accepted": True})

    def _files(self, ask: Request, rest: str) -> Response:
        files = self._disk.artifact if self._worker.phase == "finished" else {}
        if not rest:
            return _json({"files": _listed(files)})
        answer = _piece(files, rest, ask)
        is_damaged = self._script.misfortune is Misfortune.WRONG_SHA256 and rest == ADAPTER_WEIGHTS
        if is_damaged and isinstance(answer.body, bytes) and answer.body:
            return answer._replace(body=bytes([answer.body[0] ^ 1]) + answer.body[1:])
        return answer

    def _checkpoints(self, ask: Request, rest: str) -> Response:
        kept = self._disk.checkpoints
        if not rest:
            return _json([_checkpoint(step, kept[step]) for step in sorted(kept, reverse=True)])
        name, _, file = rest.partition("/")
        number = name.removeprefix("checkpoint-")
        if not number.isdecimal() or int(number) not in kept:
            raise RefusedError(404, "there is no such checkpoint")
        return _piece(kept[int(number)], file, ask)


def _checkpoint(step: int, files: Mapping[str, bytes]) -> dict[str, Any]:
    listed = [file for file in _listed(files) if file["name"] != SEAL]
    listed += [file for file in _listed(files) if file["name"] == SEAL]
    size = sum(len(content) for content in files.values())
    return {"name": f"checkpoint-{step}", "step": step, "bytes": size, "files": listed}


def _listed(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    return [
        {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in sorted(files.items())
    ]


def _piece(files: Mapping[str, bytes], name: str, ask: Request) -> Response:
    content = files.get(name)
    if content is None:
        raise RefusedError(404, "there is no such file")
    headers = {**_BYTES, "accept-ranges": "bytes", "x-sha256": hashlib.sha256(content).hexdigest()}
    wanted = ask.headers.get("range", "").removeprefix("bytes=")
    if not wanted:
        return Response(200, headers, content)
    first, _, last = wanted.partition("-")
    if not first.isdecimal() or (last and not last.isdecimal()) or int(first) > len(content):
        raise RefusedError(416, f"the file has {len(content)} bytes")
    start = int(first)
    piece = content[start : int(last) + 1 if last else None]
    headers["content-range"] = f"bytes {start}-{start + len(piece) - 1}/{len(content)}"
    return Response(206, headers, piece)


def _tail(content: bytes, ask: Request) -> Response:
    after = min(_number(ask, "after"), len(content))
    headers = {**_BYTES, "x-total": str(len(content))}
    return Response(200, headers, content[after : after + TAIL_BYTES])


def _number(ask: Request, name: str) -> int:
    value = ask.value(name, "0")
    if not value.isdecimal():
        raise RefusedError(400, f"{name} is no number")
    return int(value)


def _json(value: object, status: int = 200) -> Response:
    return Response(status, _HEADERS, json.dumps(value).encode())
