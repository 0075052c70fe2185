"""A PODTUNE_HOME of its own with the real command line, driver and workers; everything is ended."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

from podtune.core.events import EventKind
from podtune.workflow.folder import EventTail


class Home:
    """Runs `podtune` on a home as a user would."""

    def __init__(self, path: Path, cwd: Path) -> None:
        self.path, self.cwd = path, cwd
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PODTUNE_")}
        self.environment = {
            **kept, "PODTUNE_HOME": str(path), "HF_HUB_OFFLINE": "1", "COLUMNS": "120",
        }  # fmt: skip

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "podtune", *map(str, arguments)]

    def run(self, *arguments: object, timeout: float = 120, text: str | None = None):
        return subprocess.run(
            self.command(*arguments),
            env=self.environment, cwd=self.cwd, input=text, capture_output=True, text=True,
            timeout=timeout, check=False,
        )  # fmt: skip

    def json(self, *arguments: object, timeout: float = 120):
        done = self.run(*arguments, "--output", "json", timeout=timeout)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def start(self, *arguments: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment, cwd=self.cwd, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def folder(self, job: str) -> Path:
        return self.path / "jobs" / job

    def events(self, job: str):
        return list(EventTail(self.folder(job) / "events.jsonl").read())

    def losses(self, job: str) -> dict[int, float]:
        """Step -> training loss, later attempts over earlier ones."""
        steps = [e for e in self.events(job) if e.kind is EventKind.STEP]
        return {e.step: e.metrics.training_loss for e in steps if e.step and e.metrics}

    def wait_for(self, condition, what: str, seconds: float = 90):
        """Poll until a condition gives something true."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = condition()
            if found:
                return found
            threading.Event().wait(0.1)
        raise AssertionError(f"{what} did not happen within {seconds} s\n{self.driver_log()}")

    def wait_for_step(self, job: str, step: int) -> None:
        self.wait_for(lambda: max(self.losses(job), default=0) >= step, f"step {step}")

    def driver_log(self) -> str:
        path = self.path / "driver.log"
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def processes(self) -> list[psutil.Process]:
        """Every process that works for this home: driver, workers, their children."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = process.environ().get("PODTUNE_HOME") == str(self.path)
                ours = ours or str(self.path) in " ".join(process.cmdline())
                if ours and process.pid != os.getpid() and process.status() != "zombie":
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def workers(self) -> list[psutil.Process]:
        return [p for p in self.processes() if _runs(p, "train_lora.py")]

    def drivers(self) -> list[psutil.Process]:
        return [p for p in self.processes() if _runs(p, "podtune.app.driver")]

    def end_everything(self) -> None:
        for process in self.processes():
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue


def _runs(process: psutil.Process, what: str) -> bool:
    try:
        return any(what in part for part in process.cmdline())
    except psutil.Error:
        return False
