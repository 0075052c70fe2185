"""`GET /training/status/{job}`: the application's status object, as the worker's program makes it.

That program needs the libraries. Before they are there, and where it fails, the object stands here by
hand; `tests/worker/pod/test_job_status.py` compares the two.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import event_relay
import orders as order_book
from orders import Refused
from state import PodState

KEPT_S = 2.0
"""An answer is this long good for: each one took 0.2 s of a core (here, 2026-11-23)."""

LIMIT_S = 20.0
METRICS = ("training_loss", "validation_loss", "learning_rate", "throughput", "gpu_utilization",
           "gradient_norm")  # fmt: skip
UNKNOWN = ("eta_seconds", "error_code", "advice", "adapter_path")
BARE = ("waiting", "receiving", "installing")
"""Phases without libraries."""


class JobStatus:
    """Thread-safe; asks at most once at a time, and only when something moved."""

    def __init__(
        self,
        state: PodState,
        environment: Mapping[str, str],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`environment` is this process's."""
        self._state, self._environment, self._monotonic = state, environment, monotonic
        self._lock = threading.Lock()
        self._known: dict[str, Any] = by_hand(state.orders.job, state.orders.attempt)
        self._asked: tuple[float, Any] | None = None

    def read(self, name: str) -> dict[str, Any]:
        """The newest.

        Raises:
            Refused: 404 for any id but this machine's.
        """
        if name != self._state.orders.job:
            raise Refused(404, "there is no training of that id")
        if self._lock.acquire(blocking=False):  # who comes meanwhile gets what is known
            try:
                self._look()
            finally:
                self._lock.release()
        return self._known

    def _look(self) -> None:
        phase, now = self._state.phase, self._monotonic()
        stand = (phase, self._state.status()["events_bytes"])
        if self._asked is None or (self._asked[1] != stand and now - self._asked[0] > KEPT_S):
            told = None if phase in BARE else self._ask(phase)
            self._known = told or self._without(phase)
            self._asked = (now, stand)

    def _ask(self, phase: str) -> "dict[str, Any] | None":
        orders = self._state.orders
        found = list(orders.folder.glob("libraries*/podtune/worker/status_manager.py"))
        if not found:
            return None
        program = max(found, key=lambda path: path.stat().st_mtime)
        told = (str(orders.events), orders.job, str(orders.attempt), phase)
        environment = order_book.worker_environment(
            self._environment, orders, program.parents[2], {}
        )
        try:
            done = subprocess.run(
                [sys.executable, str(program), *told], env=environment, capture_output=True,
                timeout=LIMIT_S, check=True, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            return json.loads(done.stdout)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            order_book.say(f"podtune: the status cannot be told: {type(error).__name__}")
            return None

    def _without(self, phase: str) -> dict[str, Any]:
        """What is known without that program: what was told before, and how it ended."""
        if phase in ("finished", "delivered"):
            return {**self._known, "status": "completed", "progress": 100.0, "phase": "done"}
        if phase not in ("held", "failed"):
            return self._known
        result = event_relay.result_of(self._state.orders.events, self._state.orders.attempt) or {}
        error = {k: result.get(k) for k in ("error_message", "error_code", "advice")}
        return {**self._known, "status": "failed", **error}


def by_hand(job: str, attempt: int) -> dict[str, Any]:
    """The status object of a training of which nothing was heard yet."""
    return {
        "status": "running",
        "progress": 0.0,
        "current_epoch": 0,
        "current_step": 0,
        "stage": "training",
        "metrics": dict.fromkeys(METRICS),
        "error_message": None,
        "job_id": job,
        "phase": "provisioning",
        "warnings": [],
        "cost_usd": 0.0,
        "attempt": attempt,
        **dict.fromkeys(UNKNOWN),
        "external_job_id": job,
    }
