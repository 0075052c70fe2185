"""How the artifact leaves the machine.

An archive to signed addresses, or a program that brings it away; and what `GET /files` lists: over
the port nothing is sent, it is fetched.
"""

import hashlib
import http.client
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import cargo
import event_relay
from lifetime import Lifetime
from state import PodState

PAUSES_S = (1.0, 5.0, 15.0, 30.0, 60.0)
"""Between two tries; the last one again and again, until the lifetime ends."""

PROGRAM_TRIES = 3
CHECKPOINT_TRIES = 3
"""Then the result goes without it: how an attempt ended is told in any case."""

TIMEOUT_S = 60.0
REFUSED = (400, 401, 403, 404)
"""How stores answer an address that has run out (S3: 403, Supabase: 400 InvalidJWT; 2026-11)."""


class RunProgram(Protocol):
    """Runs a program of the worker's folder; gives its exit code."""

    def __call__(self, arguments: list[str], *, with_secrets: bool) -> int:
        """The first argument is its file name."""
        ...


class Delivery:
    """Brings the artifact of one attempt away, however long it takes."""

    def __init__(
        self,
        state: PodState,
        lifetime: Lifetime,
        run: RunProgram,
        pause: Callable[[float], None] | None = None,
    ) -> None:
        """`pause` waits; by default until a fresh address comes."""
        self._state, self._lifetime, self._run = state, lifetime, run
        self._pause = pause or self._until_new_address

    def deliver(self, ticket: dict[str, Any], result: dict[str, Any]) -> bool:
        """Whether everything is where it belongs."""
        self._state.enter("delivering", "the artifact" if result["ok"] else "the result")
        if ticket["via"] == "program":
            return bool(result["ok"]) and self._by_program(ticket["arguments"])
        return self._by_put(result)

    def _by_program(self, arguments: list[str]) -> bool:
        for number in range(PROGRAM_TRIES):
            if self._run(list(arguments), with_secrets=True) == 0:
                return True
            self._state.enter("delivering", f"try {number + 1} failed; see the log")
            self._pause(PAUSES_S[number])
        return False

    def _by_put(self, result: dict[str, Any]) -> bool:
        orders = self._state.orders
        archive, checkpoint = None, None
        if result["ok"]:
            archive = self._put_folder("archive", orders.artifact)
            if archive is None:
                return False
        elif "checkpoint" in self._state.addresses:
            checkpoint = self._put_checkpoint()
        said = {
            "version": 1,
            "job": orders.job,
            "attempt": orders.attempt,
            **{k: result.get(k) for k in ("ok", "error_code", "error_message", "advice")},
            "archive": archive,
            "checkpoint": checkpoint,
            "files": result.get("files") or {},
            "facts": event_relay.facts_of(orders.events, orders.attempt),
        }
        path = orders.folder / "result.json"
        path.write_text(json.dumps(said, indent=1), encoding="utf-8")
        return self._until_put("result", path, "application/json")

    def _put_checkpoint(self) -> dict[str, Any] | None:
        """The newest one; without it the result still tells how the attempt ended."""
        folder = self._state.orders.job_folder / "checkpoints"
        for newest in list_checkpoints(folder)[:1]:
            put = self._put_folder("checkpoint", folder / newest["name"], CHECKPOINT_TRIES)
            return put and {"name": newest["name"], **put}
        return None

    def _put_folder(
        self, name: str, folder: Path, most: int | None = None
    ) -> dict[str, Any] | None:
        """A folder as an archive at its address; None where it could not be brought there."""
        path = self._state.orders.folder / f"{name}.tar.gz"
        path.unlink(missing_ok=True)
        packed = self._run(["pack_artifact.py", str(folder), str(path)], with_secrets=False)
        if packed:
            self._state.enter("delivering", f"packing failed with code {packed}; see the log")
            return None
        facts = {
            "sha256": cargo.sha256_of(path, self._state.moved),
            "bytes": path.stat().st_size,
        }
        return facts if self._until_put(name, path, "application/gzip", most) else None

    def _until_put(self, name: str, path: Path, kind: str, most: int | None = None) -> bool:
        tries = 0
        while self._may_go_on() and (most is None or tries < most):
            self._state.new_address.clear()
            try:
                status = put(self._state.addresses[name], path, kind, self._state.moved)
                if 200 <= status < 300:
                    return True
                why = f"the {name}'s address answers {status}"
                if status in REFUSED:
                    why += "; a fresh one is awaited"
            except (OSError, http.client.HTTPException) as error:
                why = f"the {name}'s address cannot be reached: {type(error).__name__}"
            self._state.enter("delivering", why)
            tries += 1
            if tries != most:
                self._pause(PAUSES_S[min(tries, len(PAUSES_S)) - 1])
        return False

    def _may_go_on(self) -> bool:
        return self._lifetime.left_s() > 0 and not self._state.released.is_set()

    def _until_new_address(self, longest_s: float) -> None:
        self._state.new_address.wait(longest_s)


def put(address: dict[str, Any], path: Path, kind: str, moved: Callable[[], None]) -> int:
    """Write a file to an address, streaming; gives the HTTP status.

    Raises:
        OSError: as the network says.
        http.client.HTTPException: the other side speaks no HTTP.
    """
    parts = urlsplit(address["url"])
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    headers = {
        "User-Agent": cargo.USER_AGENT,
        "Content-Type": kind,
        "Content-Length": str(path.stat().st_size),
        **address["headers"],
    }
    try:
        with path.open("rb") as stream:
            connection.request("PUT", target, body=_blocks(stream, moved), headers=headers)
        answer = connection.getresponse()
        answer.read(65_536)
        return answer.status
    finally:
        connection.close()


def _blocks(stream: Any, moved: Callable[[], None]) -> Any:
    while block := stream.read(cargo.BLOCK):
        yield block
        moved()


def list_files(folder: Path) -> list[dict[str, Any]]:
    """The files below a folder with size and sha256, sorted by name."""
    return [
        {
            "name": path.relative_to(folder).as_posix(),
            "bytes": path.stat().st_size,
            "sha256": cargo.sha256_of(path, _nothing),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    ]


def list_checkpoints(folder: Path) -> list[dict[str, Any]]:
    """Sealed checkpoints, the newest first; the seal itself is among the files."""
    found: list[dict[str, Any]] = []
    for path in folder.glob("checkpoint-*"):
        seal = path / "complete.json"
        sums = read_json(seal)
        number = path.name.removeprefix("checkpoint-")
        if not sums or not number.isdecimal():
            continue
        try:
            files = [
                {"name": name, "bytes": (path / name).stat().st_size, "sha256": digest}
                for name, digest in sorted(sums.items())
            ]
            text = seal.read_bytes()
        except OSError:  # removed meanwhile: a newer one is there
            continue
        digest = hashlib.sha256(text).hexdigest()
        files.append({"name": seal.name, "bytes": len(text), "sha256": digest})
        size = sum(int(file["bytes"]) for file in files)
        found.append({"name": path.name, "step": int(number), "bytes": size, "files": files})
    return sorted(found, key=lambda one: one["step"], reverse=True)


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object from a file; None where there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _nothing() -> None:
    """Nobody waits for this."""
