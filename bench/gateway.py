"""The gateway as a process on a home with 1,000 jobs on SQLite: what it answers, how fast, at what cost.

Twenty of the jobs run, with 20,000 events each, and tell one more each second; every second status is of one of
those; each was looked at once before. Real are the server, its store, its files and the sockets; nothing is trained, and the asking side is
another process. Goal: status p99 below 50 ms at 200 a second on 2 cores. `gateway.py QUICK` takes a tenth of the time
and writes nothing.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import http_load
import measure
import psutil

sys.path.insert(0, str(measure.ROOT / "tests"))

from podtune.app.installation import owner
from podtune.app.keys import Keys
from podtune.core.access import Scope
from podtune.core.events import EventKind, Metrics, TrainingEvent
from podtune.core.states import JobPhase, Outcome, WorkerStage
from podtune.workflow import submissions
from podtune.workflow.store import JobStore
from podtune.workflow.submissions import Submission
from support import build, homes, rented_jobs
from support.hub_server import HubServer
from support.odd_server import OddServer, response

QUICK = sys.argv[1:] == ["quick"]
JOBS, RUNNING, EVENTS, EVENTS_OF_ENDED = 1000, 20, 20_000, 200
PER_S, SECONDS = 200, 3.0 if QUICK else 30.0
STREAMS = 900
MODEL = "acme/tiny"
DATA_MB = 20 if QUICK else 200
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
TENANT = "bench"


class Home:
    """A home with jobs, a key of a tenant and an administrator's."""

    def __init__(self, folder: Path) -> None:
        """Make it."""
        self.folder, self.home = folder, folder / "home"
        self.home.mkdir()
        self.store = JobStore(self.home / "podtune.db")
        self.owner = owner(self.home)
        self.seqs: dict[str, int] = {}
        for number in range(JOBS):
            self._add(number)
        keys = Keys(self.store)
        reads = (Scope.SUBMIT, Scope.READ, Scope.CANCEL)
        self.token = keys.create("app", reads, tenant=TENANT)[1].get_secret_value()
        self.admin = keys.create("admin", (Scope.ADMIN,))[1].get_secret_value()

    @property
    def running(self) -> list[str]:
        """The jobs that run."""
        return [name(number) for number in range(RUNNING)]

    def path(self) -> str:
        """A status to read: every second time of a job that runs."""
        some = RUNNING if random.random() < 0.5 else JOBS
        return f"/training/status/{name(random.randrange(some))}"

    def tell(self) -> None:
        """One more event of each job that runs."""
        for one in self.running:
            self.seqs[one] += 1
            with self._events(one).open("a", encoding="utf-8") as stream:
                stream.write(event(one, self.seqs[one]).line() + "\n")

    def _events(self, job: str) -> Path:
        return self.home / "jobs" / job / "events.jsonl"

    def _add(self, number: int) -> None:
        """A job: of those that run half on machines of an account, half on another host, so that nobody here drives them."""
        one, at = name(number), NOW - timedelta(minutes=number)
        is_rented, runs = bool(number % 2), number < RUNNING
        made = rented_jobs.plan() if is_rented else build.plan()
        data = made.spec.data.model_copy(update={"source": f"/data/{one}.jsonl"})
        plan = made.model_copy(update={"spec": made.spec.model_copy(update={"data": data})})
        ended = {} if runs else {"outcome": Outcome.COMPLETED, "finished_at": at}
        job = build.job(
            id=one, plan=plan, owner=self.owner, tenant=TENANT, created_at=at, updated_at=at,
            phase=JobPhase.TRAINING if runs else JobPhase.DONE, host=None if is_rented else "elsewhere",
            account="elsewhere" if is_rented else None, started_at=at, **ended,
        )  # fmt: skip
        self.store.add(job)
        row = Submission(
            id=one, owner=self.owner, tenant=TENANT, key_id=None, kind="training", name=f"theirs-{number}",
            digest="0" * 64, note="{}", body=None, state=submissions.ACCEPTED, error=None,
            ceiling_usd=Decimal(5) if is_rented else None, created_at=at, begun_at=at, settled_at=at,
        )  # fmt: skip
        with self.store.transaction() as connection:
            submissions.add(connection, row, "", 0, 0)
        events = self._events(one)
        events.parent.mkdir(parents=True)
        count = self.seqs[one] = EVENTS if runs else EVENTS_OF_ENDED
        lines = (event(one, seq).line() + "\n" for seq in range(1, count + 1))
        events.write_text("".join(lines), encoding="utf-8")


def name(number: int) -> str:
    """A job's id."""
    return f"bench-{number:04d}"


def event(job: str, seq: int) -> TrainingEvent:
    """A step as the worker tells it."""
    figures = Metrics(training_loss=2 / seq, learning_rate=2e-4, throughput=900, gradient_norm=0.4)
    return TrainingEvent(
        job=job, attempt=1, seq=seq, time=NOW + timedelta(seconds=seq), kind=EventKind.STEP,
        stage=WorkerStage.TRAINING, step=seq, total_steps=2 * EVENTS, epoch=seq / EVENTS, metrics=figures,
    )  # fmt: skip


class Server:
    """`podtune serve` as a process."""

    def __init__(self, home: Home, **more: str) -> None:
        """Start it and wait until it listens."""
        kept = {
            k: v for k, v in os.environ.items() if not k.startswith(("PODTUNE_", "RUNPOD_", "HF_"))
        }
        settings = {"PODTUNE_HOME": str(home.home), "PODTUNE_REQUESTS_PER_MINUTE": "0",
                    "PODTUNE_SUBMITS_PER_MINUTE": "0", "PODTUNE_STREAMS_PER_CALLER": "0"}  # fmt: skip
        self._log = (home.folder / "gateway.log").open("w")
        begun = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "podtune", "serve", "--port", "0"], env=kept | settings | more,
            stdout=subprocess.PIPE, stderr=self._log, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip().rstrip("/")
        assert self.url, Path(self._log.name).read_text()[-2000:]
        self.started_s = time.perf_counter() - begun
        self._seen = psutil.Process(self._process.pid)

    def cpu_s(self) -> float:
        """Its CPU seconds so far."""
        return sum(self._seen.cpu_times()[:2])

    def peak_mb(self) -> int:
        """Its largest resident size so far."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) // 1024

    def close(self) -> None:
        """Stop it."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)
        self._log.close()


async def told_meanwhile(home: Home, stop: asyncio.Event) -> None:
    """The running jobs tell something each second."""
    while not stop.is_set():
        home.tell()
        await asyncio.sleep(1)


async def statuses(home: Home, server: Server, seconds: float, beside=None) -> dict[str, object]:
    """Status reads at the pace that is asked for; until what runs beside them is over, where something does."""
    load = http_load.Paced(server.url, home.token, per_s=PER_S)
    stop, cpu = asyncio.Event(), server.cpu_s()
    telling = asyncio.create_task(told_meanwhile(home, stop))
    if beside is not None:
        running = asyncio.create_task(beside())
        running.add_done_callback(lambda _: load.stop.set())
    begun = time.perf_counter()
    await load.run(home.path, seconds)
    stop.set()
    await telling
    took = time.perf_counter() - begun
    figures = {**load.figures(), "seconds": round(took, 1)}
    figures["server_cpu_ms_each"] = round(1000 * (server.cpu_s() - cpu) / len(load.took_s), 2)
    return figures | ({} if beside is None else {"beside": await running})


async def first_looks(home: Home, server: Server) -> dict[str, object]:
    """The first status of each job, one behind another: all of its events are read."""
    line = http_load.Line(server.url, home.token)
    took = [(await line.ask("GET", f"/training/status/{name(n)}")).took_s for n in range(JOBS)]
    await line.close()
    return {
        "running": http_load.quantiles(took[:RUNNING]),
        "ended": http_load.quantiles(took[RUNNING:]),
    }


async def pages(home: Home, server: Server) -> dict[str, object]:
    """Lists and pages, one behind another."""
    found: dict[str, object] = {}
    line = http_load.Line(server.url, home.token)
    for path in ("/training/jobs?limit=50", "/v1/fine_tuning/jobs/bench-0000/events?limit=20", "/"):
        took = []
        for _ in range(3 if QUICK else 20):
            answer = await line.ask("GET", path)
            assert answer.status == 200, answer
            took.append(answer.took_s)
        found[path] = http_load.quantiles(took)
    await line.close()
    return found


async def duplicates(home: Home, server: Server, url: str) -> dict[str, object]:
    """The same submit again and again, found each time, of a job that was cancelled."""
    seconds, body = 2 if QUICK else 10, order("small", url)
    line = http_load.Line(server.url, home.token)
    answer = await line.ask("POST", "/training/submit", json.dumps(body).encode())
    assert answer.status == 200, answer
    job = json.loads(answer.body)["external_job_id"]
    assert (await line.ask("POST", f"/training/cancel/{job}")).status == 200
    await line.close()
    took, answers = await http_load.closed(server.url, home.token, body, seconds=seconds, lines=8)
    assert len(answers) == 1, answers
    return {"per_s": round(len(took) / seconds), **http_load.quantiles(took)}


async def streams(home: Home, server: Server) -> dict[str, object]:
    """Many open streams of events of running jobs, each told what its job tells each second."""
    before = server.peak_mb()
    lines = [http_load.Line(server.url, home.token) for _ in range(STREAMS)]
    heard = [0]

    async def follow(line: http_load.Line, job: str) -> None:
        last = f"1:{home.seqs[job]}"
        line._head += f"Last-Event-ID: {last}\r\n"
        reader = await line.send("GET", f"/training/events/{job}")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head.split(b"\r\n")[0], head
        while data := await reader.read(1 << 16):
            heard[0] += data.count(b"event: step")

    followers = []
    for number, line in enumerate(lines):
        followers.append(asyncio.create_task(follow(line, home.running[number % RUNNING])))
        if number % 50 == 49:
            await asyncio.sleep(0.2)
    await asyncio.sleep(5)
    alive = sum(not one.done() for one in followers)
    heard[0], cpu, begun = 0, server.cpu_s(), time.perf_counter()
    reads = await statuses(home, server, SECONDS / 2)
    took = time.perf_counter() - begun
    share = (server.cpu_s() - cpu) / took
    for one in followers:
        one.cancel()
    await asyncio.gather(*followers, return_exceptions=True)
    for line in lines:
        await line.close()
    return {
        "open": alive, "told_per_s": round(heard[0] / took), "server_share_of_a_core": round(share, 2),
        "statuses_beside": reads, "more_rss_mb": server.peak_mb() - before,
    }  # fmt: skip


async def beside_a_submit(home: Home, server: Server, url: str) -> dict[str, object]:
    """Status reads while 200 MB of data are fetched, checked and planned."""
    body = order("large", url)

    async def submit() -> dict[str, object]:
        line = http_load.Line(server.url, home.token)
        begun = time.perf_counter()
        answer = await line.ask("POST", "/training/submit", json.dumps(body).encode())
        assert answer.status == 200, answer
        job = json.loads(answer.body)["external_job_id"]
        while True:
            told = json.loads((await line.ask("GET", f"/training/status/{job}")).body)
            if told["phase"] not in ("queued", "downloading") or told["error_code"]:
                break
            if any(found.id == job for found in home.store.recent(1)):
                break
            await asyncio.sleep(0.25)
        took = time.perf_counter() - begun
        await line.ask("POST", f"/training/cancel/{job}")
        await line.close()
        return {"data_mb": DATA_MB, "submit_s": round(took, 1), "error": told["error_code"]}

    return await statuses(home, server, 600, submit)


def order(job_id: str, url: str) -> dict[str, object]:
    """What an application sends."""
    hyperparameters = {"base_model": MODEL, "num_epochs": 1}
    return {"job_id": job_id, "dataset_url": url, "hyperparameters": hyperparameters}


def rows(megabytes: int) -> bytes:
    """Chats of support, as many as fill so much."""

    def row(number: int) -> bytes:
        asked = f"How do I reset device number {number}? It blinks since the update of yesterday evening."
        told = f"Hold key {number} for six seconds until it beeps, then wait a minute and switch it on again."
        turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": told}]
        return json.dumps({"messages": turns}).encode() + b"\n"

    count = megabytes * 1_000_000 // len(row(500_000))
    return b"".join(map(row, range(count)))


@contextmanager
def served(home: Home, **more: str) -> Iterator[Server]:
    """A server for a while."""
    server = Server(home, **more)
    try:
        yield server
    finally:
        server.close()


def main() -> None:
    """Everything in turn."""
    with tempfile.TemporaryDirectory() as made, OddServer({}) as data:
        folder = Path(made)
        home, model = Home(folder), homes.model(folder / "model")
        with HubServer({MODEL: model}) as hub:
            more = {
                "HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "hub"), "PODTUNE_EGRESS_HTTP": "true",
                "PODTUNE_EGRESS_PRIVATE_HOSTS": f"127.0.0.1:{data.port}",
            }  # fmt: skip
            with served(home, **more) as server:
                asyncio.run(measured(home, server, data))
        home.store.close()


async def measured(home: Home, server: Server, data: OddServer) -> dict[str, object]:
    """All figures."""
    found: dict[str, object] = {
        "jobs": JOBS, "running": RUNNING, "events_of_each": EVENTS, "asked_per_s": PER_S,
        "started_s": round(server.started_s, 2), "load_before": round(os.getloadavg()[0], 1),
    }  # fmt: skip

    def note(name: str, figures: object) -> None:
        found[name] = figures
        print(name, json.dumps(figures), flush=True)
        if not QUICK:  # what comes last takes minutes: who ends it keeps the rest
            measure.write("gateway", found)

    note("first_looks", await first_looks(home, server))
    note("statuses_at_first", await statuses(home, server, SECONDS))
    note("statuses", await statuses(home, server, SECONDS))
    note("peak_rss_mb", server.peak_mb())
    note("pages", await pages(home, server))
    note("streams", await streams(home, server))
    address = f"http://127.0.0.1:{data.port}"
    data.answers["/small.jsonl"] = response(200, rows(1))
    data.answers["/rows.jsonl"] = response(200, rows(DATA_MB))
    note("beside_a_large_submit", await beside_a_submit(home, server, f"{address}/rows.jsonl"))
    note("duplicates", await duplicates(home, server, f"{address}/small.jsonl"))
    note("peak_rss_mb_at_the_end", server.peak_mb())
    return found


if __name__ == "__main__":
    main()
