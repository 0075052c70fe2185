"""A rented machine as processes of this one: the pod's own programs on loopback. For tests only."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
from pydantic import SecretStr

from podtune.core.handover import BundleByPort, DeliverByPort, HandOver, pod_environment
from podtune.storage.bootstrap_program import bootstrap_program
from podtune.storage.bundle import lock_sha256
from podtune.storage.pod_port import PodPort

JOB = "demo"
TOKEN = "job-token-of-a-test"
KEY = "5a" * 32


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def eventually(what: Callable[[], object], timeout_s: float = 30.0, every_s: float = 0.05):
    """Ask until the answer is true; the answer."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        answer = what()
        if answer:
            return answer
        threading.Event().wait(every_s)
    raise AssertionError(f"not within {timeout_s} s")


class Control:
    """A vendor's control plane that notes what it is asked, and ends the machine if it likes."""

    def __init__(self, *, refuse: tuple[str, ...] = (), on_end: Callable[[], None] | None = None):
        control = self
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.ended = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_DELETE(self):
                self.serve("delete", 204, b"")

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                name = "podTerminate" if b"podTerminate" in body else "podStop"
                self.serve(name, 200, b'{"data": {}}', body)

            def serve(self, name, status, answer, body=b""):
                headers = {k.lower(): v for k, v in self.headers.items()}
                control.asked.append((name, self.path, headers, body))
                refused = name in refuse
                if refused and name == "delete":
                    status, answer = 403, b'{"title": "Forbidden"}'
                elif refused:
                    answer = b'{"errors": [{"message": "Forbidden"}], "data": null}'
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
                if not refused:
                    control.ended.set()
                    if on_end:
                        on_end()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def environment(self) -> dict[str, str]:
        return {
            "RUNPOD_REST_BASE_URL": f"{self.url}/v2",
            "RUNPOD_API_BASE_URL": f"{self.url}/graphql",
            "RUNPOD_POD_ID": "pod1",
            "RUNPOD_API_KEY": "pod-scoped-key",
        }

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Machine:
    """One machine: start, restart, and what it prints."""

    def __init__(self, workspace: Path, **changes: object):
        self.workspace = workspace
        workspace.mkdir(parents=True, exist_ok=True)
        self.port_number = free_port()
        self.control = Control()
        now = time.time()
        figures = {
            "DEADLINE": int(now + 3600), "STARTED": int(now), "MAX_USD": "5",
            "USD_PER_HOUR": "0.40", "BOOT_LIMIT_S": 300, "SILENCE_LIMIT_S": 120,
            "UPLOAD_RESERVE_S": 1, "KEEP_ON_FAILURE_S": 0,
        } | {k: v for k, v in changes.items() if k.isupper()}  # fmt: skip
        told = pod_environment(job=JOB, attempt=1, token=TOKEN, figures=figures)
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(workspace),
            "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "PODTUNE_WORKSPACE": str(workspace),
            "PODTUNE_BIND_PORT": str(self.port_number),
            "PODTUNE_BIND_HOST": "127.0.0.1",
            "PODTUNE_LOCK_SHA256": lock_sha256(),
            "PODTUNE_WATCH_INTERVAL_S": "0.1",
            "PODTUNE_BEAT_INTERVAL_S": "0.1",
            **self.control.environment(),
            **told,
        }
        self.output = workspace / "container.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.folder = workspace / "podtune" / JOB

    def start(self) -> "Machine":
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", bootstrap_program()], env=self.environment,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                cwd=self.workspace,
            )  # fmt: skip
        return self

    def __enter__(self) -> "Machine":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.end()
        self.control.close()

    def processes(self) -> list[psutil.Process]:
        """Everything that runs on the machine."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("PODTUNE_WORKSPACE") == str(self.workspace):
                    found.append(process)
            except psutil.Error:
                continue
        return [p for p in found if p.status() != psutil.STATUS_ZOMBIE]

    def end(self) -> None:
        """The host takes the container away."""
        for process in self.processes():
            process.kill()
        if self.process:
            self.process.wait()

    def kill(self, program: str) -> None:
        """SIGKILL for one of the pod's programs."""
        for process in self.processes():
            if any(part.endswith(program) for part in process.cmdline()):
                process.send_signal(signal.SIGKILL)

    def port(self, token: str = TOKEN) -> PodPort:
        return PodPort(f"http://127.0.0.1:{self.port_number}", SecretStr(token))

    def ask(self, method: str, path: str, body: bytes | None = None, token: str | None = TOKEN):
        """Status and JSON (or bytes) of one request."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port_number}/{path}", data=body, headers=headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, _parsed(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, _parsed(error.read())

    def is_up(self) -> bool:
        try:
            return self.ask("GET", "health", token=None)[0] == 200
        except OSError:
            return False

    def text(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return body


def hand_over(path: Path, /, **changes: object) -> HandOver:
    """A hand-over of a bundle that follows through the port."""
    content = path.read_bytes()
    return HandOver.model_validate(
        {
            "job": JOB,
            "attempt": 1,
            "bundle": BundleByPort(sha256=sha256(content).hexdigest(), bytes=len(content)),
            "deliver": DeliverByPort(),
            "secrets": {"HF_TOKEN": "hf_" + secrets.token_hex(8)},
            "event_key": KEY,
            **changes,
        }
    )
