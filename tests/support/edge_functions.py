"""The examples' edge functions in Deno, on real sockets. For tests only."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx2

from support.hearing import hear_all
from support.waiting import until

ROOT = Path(__file__).resolve().parent.parent.parent
FUNCTIONS = ROOT / "examples" / "supabase" / "functions"
LOCAL = ROOT / "examples" / "supabase" / "local"


def deno() -> str | None:
    """The program, beside this Python or on the path; None where there is none."""
    beside = shutil.which("deno", path=str(Path(sys.executable).parent))
    return beside or shutil.which("deno")


def missing() -> str | None:
    """Why no function can be run here; None where one can."""
    return None if deno() else "deno is not installed (`make setup` brings it)"


def environment(**more: str) -> dict[str, str]:
    """A function's whole environment: nothing of the caller's."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "DENO_DIR") if name in os.environ}
    return {**kept, "DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1", **more}


class EdgeFunction:
    """One function as Supabase runs it: no file access, no remote module; use as a context manager."""

    def __init__(self, path: Path, **variables: str) -> None:
        """Start it and wait until it listens.

        Args:
            path: Of its `index.ts`.
            variables: Its secrets.
        """
        program = deno()
        assert program
        self._said: list[str] = []
        self.process = subprocess.Popen(
            [program, "run", "--no-remote", "--no-prompt", "--allow-net=127.0.0.1", "--allow-env", path],
            env=environment(DENO_SERVE_ADDRESS="tcp:127.0.0.1:0", **variables),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            preexec_fn=hear_all,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.url = until(self._address, "the function's start")

    def _read(self) -> None:
        assert self.process.stdout is not None
        self._said.extend(iter(self.process.stdout.readline, ""))

    def _address(self) -> str | None:
        assert self.process.poll() is None, self.log()
        found = [line.split()[-1] for line in self._said if line.startswith("Listening on ")]
        return found[0].rstrip("/") if found else None

    def __enter__(self) -> "EdgeFunction":
        return self

    def __exit__(self, *_: object) -> None:
        end(self.process)
        self._reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def log(self) -> str:
        """Everything it said so far."""
        return "".join(self._said)

    def client(self, token: str | None = None, path: str = "") -> httpx2.Client:
        """Asks it; close it, or use it as a context manager."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx2.Client(base_url=self.url + path, headers=headers, timeout=60, trust_env=False)


class Supabase:
    """The examples' own stand-in for a project, with the functions behind it; use as a context manager."""

    def __init__(self, folder: Path) -> None:
        """Start it; `folder` holds its functions' variables."""
        program = deno()
        assert program
        self.variables = folder / "functions.env"
        self.variables.touch()
        self.log_file = (folder / "supabase.log").open("w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [program, "run", "--no-remote", "--allow-all", LOCAL / "supabase.ts", FUNCTIONS, self.variables],
            env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log_file,
            text=True, preexec_fn=hear_all,
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log()
        told = json.loads(line)
        self.url, self.key = told["url"], told["key"]
        self.host = self.url.removeprefix("http://")

    def __enter__(self) -> "Supabase":
        return self

    def __exit__(self, *_: object) -> None:
        end(self.process)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.log_file.close()

    def log(self) -> str:
        """What functions and stand-in said on stderr."""
        return Path(self.log_file.name).read_text(encoding="utf-8")

    def secrets(self, **variables: str) -> None:
        """`supabase secrets set`, before a function's first call."""
        lines = [f"{name}={value}\n" for name, value in variables.items()]
        self.variables.write_text("".join(lines), encoding="utf-8")

    def client(self) -> httpx2.Client:
        """Asks with the project's secret key."""
        headers = {"apikey": self.key, "Authorization": f"Bearer {self.key}"}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False)

    def insert(self, user: str, rows: bytes, **columns: Any) -> str:
        """A user's data set and a row that wants it trained on; its id."""
        path = columns.pop("dataset_path", f"{user}/rows.jsonl")
        with self.client() as client:
            stored = client.post(
                f"/storage/v1/object/training-datasets/{user}/rows.jsonl", content=rows,
                headers={"x-upsert": "true"},
            )  # fmt: skip
            assert stored.status_code == 200, stored.text
            row = {"user_id": user, "dataset_path": path, **columns}
            answer = client.post("/rest/v1/training_jobs", json=row)
            assert answer.status_code == 201, answer.text
            return answer.json()[0]["id"]

    def row(self, job: str) -> dict[str, Any]:
        """A row as it is now."""
        with self.client() as client:
            (found,) = client.get("/rest/v1/training_jobs", params={"id": f"eq.{job}"}).json()
            return found

    def change(self, job: str, **values: Any) -> None:
        """Set columns of a row."""
        with self.client() as client:
            params = {"id": f"eq.{job}"}
            assert client.patch("/rest/v1/training_jobs", params=params, json=values).is_success

    def process_jobs(self, key: str) -> Any:
        """What the database does every half minute."""
        with self.client() as client:
            answer = client.post(
                "/functions/v1/process-training-jobs", headers={"Authorization": f"Bearer {key}"}
            )
            assert answer.status_code == 200, answer.text + self.log()
            return answer.json()


def end(process: subprocess.Popen[str]) -> None:
    """End a process that a test started."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    finally:
        process.kill()
        process.wait(5)
