"""A stand-in model Hub on loopback: serves folders as model repositories, as huggingface_hub asks.

Knows nothing of podtune. Answers GET /api/models/{id}[/revision/{rev}], GET .../tree/{rev} and
HEAD/GET /{id}/resolve/{rev}/{file}, and the same for /api/datasets/{id} and /datasets/{id}/resolve;
records every request.
"""

import hashlib
import json
import socket
import struct
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


class HubServer:
    """Serves until closed; use as a context manager."""

    def __init__(
        self,
        repositories: Mapping[str, Path],
        *,
        gated: frozenset[str] = frozenset(),
        gated_files: frozenset[str] = frozenset(),
        token: str | None = None,
        cut_after: int | None = None,
        private: frozenset[str] = frozenset(),
        faults: list[str | int] | None = None,
        ranges: bool = True,
    ) -> None:
        """Start serving.

        Args:
            repositories: `org/name` -> folder; data sets are called `datasets/org/name`.
            gated: Refused altogether.
            gated_files: Described to anybody, their files refused: what the real Hub does.
            token: When given, any other bearer token is rejected.
            cut_after: Break the connection at so many bytes of a safetensors or parquet file.
            faults: How the next requests for such a file fail, one by one: a status to answer
                with, `reset`, `cut:N` (break off at byte N), `flip` (a byte is wrong).
            ranges: Whether a part of a file can be asked for.
            private: Seen by nobody without the token.
        """
        self.repositories = dict(repositories)
        self.gated, self.gated_files = gated, gated_files
        self.token, self.cut_after = token, cut_after
        self.private = private
        self.faults, self.ranges = list(faults or ()), ranges
        self.asked_ranges: list[str | None] = []
        self.requests: list[tuple[str, str]] = []
        hub = self

        class Handler(self.handler()):
            server_of = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def handler(self) -> "type[Handler]":
        """What answers one request."""
        return Handler

    def __enter__(self) -> "HubServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop; later connections are refused."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def files_requested(self) -> set[str]:
        """Names of the files whose content or headers were asked for."""
        return {p.split("/resolve/", 1)[1].split("/", 1)[1] for p in self.paths("/resolve/")}

    def files_downloaded(self) -> set[str]:
        """Names of the files whose content was asked for."""
        got = [p for verb, p in self.requests if verb == "GET" and "/resolve/" in p]
        return {p.split("/resolve/", 1)[1].split("/", 1)[1] for p in got}

    def paths(self, part: str) -> list[str]:
        """Paths asked for that hold `part`."""
        return [path for _, path in self.requests if part in path]


def commit_of(folder: Path) -> str:
    """The commit a folder is served as: 40 hex digits that follow from its content."""
    digest = hashlib.sha1(usedforsecurity=False)
    for path in _files(folder):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


class Handler(BaseHTTPRequestHandler):
    """One request; `server_of` is set by the server."""

    server_of: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        hub = self.server_of
        path = unquote(urlsplit(self.path).path)
        hub.requests.append((self.command, path))
        sent = self.headers.get("Authorization")
        if hub.token and sent and sent != f"Bearer {hub.token}":
            self._refuse(401, None, "Invalid credentials in Authorization header", body=body)
            return
        if path.startswith("/api/models/"):
            self._describe(path.removeprefix("/api/models/"), body=body)
        elif path.startswith("/api/datasets/"):
            self._describe(path.removeprefix("/api/"), body=body)
        elif "/resolve/" in path:
            name, rest = path.removeprefix("/").split("/resolve/", 1)
            self._file(name, *rest.split("/", 1), body=body)
        else:
            self._refuse(404, "EntryNotFound", "no such page", body=body)

    def _describe(self, path: str, *, body: bool) -> None:
        parts = 3 if path.startswith("datasets/") else 2
        name = "/".join(path.split("/")[:parts])
        rest = path.removeprefix(name).strip("/").split("/", 1)
        folder = self._folder(name, files=False, body=body)
        if folder is None:
            return
        revision = rest[1] if len(rest) == 2 else "main"
        if revision not in ("main", commit_of(folder)):
            self._refuse(404, "RevisionNotFound", "Invalid rev id", body=body)
        elif rest[0] == "tree":
            self._send_json([_entry(folder, p) for p in _files(folder)], body=body)
        else:
            siblings = [
                {"rfilename": p.relative_to(folder).as_posix(), "size": p.stat().st_size}
                for p in _files(folder)
            ]
            called = name.removeprefix("datasets/")
            answer = {
                "id": called,
                "sha": commit_of(folder),
                "siblings": siblings,
                "private": name in self.server_of.private,
                "gated": name in self.server_of.gated_files and "auto",
            }
            self._send_json(answer, body=body)

    def _file(self, name: str, revision: str, file: str, *, body: bool) -> None:
        folder = self._folder(name, files=True, body=body)
        if folder is None:
            return
        path = folder / file
        if not path.is_file() or revision not in ("main", commit_of(folder)):
            self._refuse(404, "EntryNotFound", "Entry not found", body=body)
            return
        content = path.read_bytes()
        large = body and file.endswith((".safetensors", ".parquet"))
        fault = self.server_of.faults.pop(0) if large and self.server_of.faults else None
        if isinstance(fault, int):
            self._refuse(fault, None, "try again", body=True)
            return
        if fault == "reset":
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
            self.close_connection = True
            return
        start = self._start(content, large)
        self.send_header("X-Repo-Commit", commit_of(folder))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if body:
            self._send_from(start, content, fault if large else None, large)

    def _start(self, content: bytes, large: bool) -> int:
        """Answer with the part that was asked for, or with the whole."""
        asked = self.headers.get("Range")
        if large:
            self.server_of.asked_ranges.append(asked)
        if not asked or not self.server_of.ranges:
            self.send_response(200)
            return 0
        start = int(asked.removeprefix("bytes=").split("-")[0])
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        return start

    def _send_from(self, start: int, content: bytes, fault: str | None, large: bool) -> None:
        cut = self.server_of.cut_after if large else None
        if fault and fault.startswith("cut:"):
            cut = int(fault.removeprefix("cut:"))
        if fault == "flip":
            content = content[:-1] + bytes([content[-1] ^ 1])
        self.wfile.write(content[start:cut])
        self.close_connection = self.close_connection or cut is not None

    def _folder(self, name: str, *, files: bool, body: bool) -> Path | None:
        hub = self.server_of
        if name in hub.gated or (files and name in hub.gated_files):
            message = f"Access to model {name} is restricted."
            self._refuse(401, "GatedRepo", message, body=body)
            return None
        folder = hub.repositories.get(name)
        known = bool(self.headers.get("Authorization"))
        if name in hub.private and not known:
            folder = None
        if folder is None and name.startswith("datasets/") and not known:
            # what the real Hub says to strangers of anything they cannot see
            self._refuse(401, None, "Invalid username or password.", body=body)
        elif folder is None:
            self._refuse(404, "RepoNotFound", "Repository not found", body=body)
        return folder

    def _refuse(self, status: int, code: str | None, message: str, *, body: bool) -> None:
        content = json.dumps({"error": message}).encode()
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", message)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def _send_json(self, value: object, *, body: bool) -> None:
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)


def _entry(folder: Path, path: Path) -> dict[str, object]:
    content = path.read_bytes()
    blob = b"blob %d\0" % len(content) + content
    return {
        "type": "file",
        "path": path.relative_to(folder).as_posix(),
        "size": len(content),
        "oid": hashlib.sha1(blob, usedforsecurity=False).hexdigest(),
    }
