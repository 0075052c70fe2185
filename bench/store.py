"""The job store on SQLite and on PostgreSQL: jobs submitted, rows changed, the log read, 5,000 jobs claimed.

Both lie on this machine's disk, and a submit is on it before the next begins; plans are of rented jobs. The
best of several rounds; wall seconds tell of the disk and of what else runs, CPU seconds are the figures to
trust. Goal: 300 submits a second on SQLite.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import measure
import psutil

sys.path.insert(0, str(measure.ROOT / "tests"))

from podtune.core.job import Job
from podtune.core.states import JobPhase
from podtune.workflow.store import JobStore
from support import build, driving, postgres_server, rented_jobs
from support.runpod_account import START

SUBMITS = 2000
ROUNDS = 5
CLAIMS = 5000
LOG_LINES = 2000
DRIVER = driving.ME._replace(account="acc")


class Meter:
    """Seconds of work: by the wall, on this process's CPU, on the server's."""

    def __init__(self, server: psutil.Process | None) -> None:
        self._server = server

    def read(self) -> tuple[float, float, float]:
        """The three clocks now."""
        return time.perf_counter(), time.process_time(), self._of_server()

    def __call__(self, work: Callable[[], object], count: int) -> dict[str, float]:
        """What `count` things took that some work did."""
        before = self.read()
        work()
        wall, own, served = (now - then for now, then in zip(self.read(), before, strict=True))
        figures = {"per_s": round(count / wall), "cpu_ms_each": round(1000 * own / count, 3)}
        if self._server:
            figures["server_cpu_ms_each"] = round(1000 * served / count, 3)
        return figures

    def best(self, works: Sequence[Callable[[], object]], count: int) -> dict[str, float]:
        """The best of rounds of `count` things each."""
        rounds = [self(work, count) for work in works]
        return {
            name: (max if name == "per_s" else min)(one[name] for one in rounds)
            for name in rounds[0]
        }

    def _of_server(self) -> float:
        """Of the server and its processes, those that have ended too."""
        if self._server is None:
            return 0.0
        total = sum(self._server.cpu_times()[:4])
        for child in self._server.children(recursive=True):
            total += sum(child.cpu_times()[:2])
        return total


def jobs(count: int, prefix: str) -> list[Job]:
    """Jobs as they are submitted, each with a plan of its own."""
    plan = rented_jobs.plan()
    return [
        build.job(
            id=f"{prefix}-{number}", plan=plan.model_copy(), account="acc",
            created_at=START + timedelta(seconds=number),
        )
        for number in range(count)
    ]  # fmt: skip


def figures(store: JobStore, meter: Meter) -> dict[str, object]:
    """Everything that is measured on one store."""
    submitted, more = jobs(SUBMITS, "job"), jobs(CLAIMS - SUBMITS, "more")
    each = SUBMITS // ROUNDS
    parts = [submitted[i * each : (i + 1) * each] for i in range(ROUNDS)]
    found: dict[str, object] = {}
    found["submits"] = meter.best(
        [lambda part=part: [store.add(job) for job in part] for part in parts], each
    )
    for job in more:
        store.add(job)
    store.hold(DRIVER, driving.LONG_S)
    found["claims"] = meter(lambda: store.claim(DRIVER), CLAIMS)
    assert len(store.held(DRIVER.holder)) == CLAIMS
    lines = LOG_LINES // ROUNDS

    def written(job: Job) -> None:
        for number in range(lines):
            job = store.apply(job, {"phase": JobPhase.VALIDATING}, f"line {number}")

    one = submitted[0].id
    found["changes"] = meter.best([lambda: written(store.get(one))] * ROUNDS, lines)
    found["log_lines_read"] = meter.best([lambda: store.log(one)] * ROUNDS, LOG_LINES + 1)
    assert len(store.log(one)) == LOG_LINES + 1
    return found


@contextmanager
def on_sqlite() -> Iterator[tuple[JobStore, Meter]]:
    """A file of its own."""
    with tempfile.TemporaryDirectory() as folder:
        store = JobStore(Path(folder) / "podtune.db")
        yield store, Meter(None)
        store.close()


@contextmanager
def on_postgresql() -> Iterator[tuple[JobStore, Meter]]:
    """A server of its own, which syncs to the disk."""
    with postgres_server.PostgresServer(durable=True) as server:
        store = JobStore(Path(), url=server.fresh())
        yield store, Meter(psutil.Process(server.process.pid))
        store.close()


def main() -> None:
    """One after the other."""
    result: dict[str, object] = {
        "plan_kb": round(len(rented_jobs.plan().model_dump_json()) / 1000, 1),
        "submits": SUBMITS, "claims": CLAIMS, "log_lines": LOG_LINES,
    }  # fmt: skip
    for name, opened in (("sqlite", on_sqlite), ("postgresql", on_postgresql)):
        with opened() as (store, meter):
            result[name] = figures(store, meter)
    measure.write("store", result)


if __name__ == "__main__":
    main()
