"""Submissions are fetched, planned and submitted by a few threads; their claims are renewed meanwhile.

What becomes of a row is written by who holds it, or not at all: whoever lost it finds so when the job is to be
added, in the same transaction. A row whose preparer dies keeps what was fetched for it.
"""

import functools
import logging
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, cast

from pydantic import ValidationError

from podtune.app import apart, refusals
from podtune.app.reserving import CLAIM_S, Body, as_json
from podtune.app.service import Reserved, Service
from podtune.app.settings import Settings
from podtune.core.clock import monotonic, random_word
from podtune.core.errors import PodtuneError, StateError, to_stored
from podtune.core.plan import Plan
from podtune.core.redact import scrub
from podtune.workflow import outbox
from podtune.workflow import submissions as rows
from podtune.workflow.columns import micros
from podtune.workflow.submissions import Submission

log = logging.getLogger(__name__)

RENEW_S: Final = 12.0
"""Between two signs of life. Chosen: a fifth of a claim."""

LEAVES_WITHIN_S: Final = 5.0
"""How long `close` waits for what is being planned. Chosen."""

PLANNED_WITHIN: Final = timedelta(days=1)
"""What was fetched for a plan so long ago is left of a process that died. Chosen: a download may take an hour."""

PLAN: Final = "plan-"
"""How a folder begins that holds what is fetched for a plan."""

PACKED: Final = "artifact-"
"""How a folder begins that holds an archive while it is sent."""

_FOR: Final = "for-"
"""How a folder begins that holds what is fetched for one row."""


class _GoneError(PodtuneError):
    """The row is prepared by another by now, or was settled: nothing more is done here."""

    code = "submission_gone"


class Preparing:
    """The threads of one process. Safe to use from several others."""

    def __init__(self, service: Service, holder: str) -> None:
        """Threads begin with the first row."""
        self.turns = threading.BoundedSemaphore(service.settings.preparations)
        """Who fetches and plans has one of these."""
        self._service, self._holder = service, holder
        self._settings = service.settings
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._done: dict[str, threading.Event] = {}
        self._begun: set[str] = set()
        self._called_off: set[str] = set()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []

    def take(self, submission_id: str) -> threading.Event:
        """Queue a row that is claimed, once; what is set when it is settled or given up."""
        with self._lock:
            if submission_id in self._done:
                return self._done[submission_id]
            event = self._done[submission_id] = threading.Event()
            if not self._threads and not self._closing.is_set():
                names = [self._work] * self._settings.preparations + [self._keep]
                self._threads = [threading.Thread(target=one, daemon=True) for one in names]
                for thread in self._threads:
                    thread.start()
        self._queue.put(submission_id)
        return event

    def call_off(self, submission_id: str) -> None:
        """It was refused meanwhile: its preparation ends as soon as it looks."""
        with self._lock:
            if submission_id in self._done:
                self._called_off.add(submission_id)

    def refuse(self, row: Submission, error: PodtuneError, told: str, holder: str = "") -> bool:
        """Settle a row as refused, and write the message about it in the same transaction; False where it was.

        Args:
            row: As it stood while it was prepared.
            error: Why.
            told: The same as it is stored.
            holder: Who prepares it; anybody where it is not said.
        """
        store = self._service.store()
        now = store.clock()
        with store.transaction() as connection:
            done = rows.refuse(connection, row.id, told, micros(now), holder)
            message = None
            if done and rows.is_answered(connection, row.id):
                message = refusals.message(row, error, now)
            if message is not None:
                outbox.queue(connection, row.id, message, micros(now))
        if message is not None:
            self._service.drivers.ensure(store)
        return done

    def close(self) -> None:
        """Prepare nothing more, and let go of all: of what waits and of downloads at once.

        What is being planned is waited for a little; after that its claim ends by itself.
        """
        self._closing.set()
        with self._lock:
            waiting = [one for one in self._done if one not in self._begun]
            threads, self._threads = self._threads, []
        for _ in threads:
            self._queue.put(None)
        self._let_go(waiting)
        until = monotonic() + LEAVES_WITHIN_S
        for thread in threads:
            thread.join(max(0.0, until - monotonic()))

    def sweep(self) -> None:
        """Remove what others left that died: folders of what is prepared no more, and of plans long ago."""
        jobs, downloads = self._settings.jobs, self._settings.home / "downloads"
        left = {path: path.name[1:].rpartition(".")[0] for path in jobs.glob(".*.*")}
        left |= {path: path.name.removeprefix(_FOR) for path in downloads.glob(f"{_FOR}*")}
        passing = (*downloads.glob(f"{PLAN}*"), *downloads.glob(f"{PACKED}*"))
        gone = [path for path in passing if self._is_old(path)]
        if left:
            with self._service.store().transaction() as connection:
                found = rows.some(connection, set(left.values()))
            there = {name for name, row in found.items() if row.state == rows.PREPARING}
            gone += [path for path, name in left.items() if name not in there]
        for path in gone:
            shutil.rmtree(path, ignore_errors=True)

    def _is_old(self, path: Path) -> bool:
        try:
            changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        except OSError:  # it went at this moment
            return False
        return self._service.store().clock() - changed > PLANNED_WITHIN

    def _work(self) -> None:
        """One of the threads that prepare."""
        while (submission_id := self._queue.get()) is not None:
            if self._closing.is_set():
                return
            with self._lock:
                self._begun.add(submission_id)
            try:
                with self.turns:
                    self._prepare(submission_id)
            except PodtuneError as error:  # the job store: the row is taken over later
                told = scrub(error.message)
                log.warning("submission %s is not settled yet: %s", submission_id, told)
            except Exception as error:  # noqa: BLE001 - one request must not end the thread
                log.error("submission %s: %s", submission_id, type(error).__name__)
            finally:
                self._forget(submission_id)

    def _keep(self) -> None:
        """The thread that gives signs of life for what is claimed here."""
        while not self._closing.wait(RENEW_S):
            with self._lock:
                held = list(self._done)
            if not held:
                continue
            store = self._service.store()
            try:
                with store.transaction() as connection:
                    rows.renew(connection, held, self._holder, CLAIM_S, micros(store.clock()))
            except PodtuneError as error:
                log.warning("claims could not be renewed: %s", scrub(error.message))

    def _prepare(self, submission_id: str) -> None:
        """Bring one row out of `preparing`, unless it is somebody else's by now.

        Raises:
            StateError: the job store cannot be used; the row stays as it is.
        """
        store = self._service.store()
        with store.transaction() as connection:
            row = rows.begin(connection, submission_id, self._holder, micros(store.clock()))
        if row is None or row.body is None:
            return
        making = self._settings.jobs / f".{row.id}.{random_word(6)}"
        downloads = self._settings.home / "downloads" / f"{_FOR}{row.id}"
        try:
            settings = self._settings.for_tenant(row.tenant).with_downloads(downloads)
            self._submit(row, row.body, making, settings)
        except _GoneError:  # what was fetched stays for who has it now, until `sweep`
            log.info("submission %s is settled, or left to others", row.id)
            if self._closing.is_set():
                self._let_go([row.id])
            return
        except PodtuneError as error:
            if error.code == "state_unavailable":
                raise
            self._refuse(row, error)
        except Exception as error:  # noqa: BLE001 - told as ours, without its words: they may hold a secret
            log.error("submission %s failed: %s", row.id, type(error).__name__)
            told = f"this gateway failed to prepare it ({type(error).__name__})"
            self._refuse(row, StateError(told, code="internal_error"))
        finally:
            shutil.rmtree(making, ignore_errors=True)
        shutil.rmtree(downloads, ignore_errors=True)

    def _submit(self, row: Submission, text: str, making: Path, settings: Settings) -> None:
        """Fetch, plan, submit."""
        try:
            body = Body.model_validate_json(text)
        except ValidationError as error:
            raise StateError("what was asked cannot be read any more") from error
        look = self._watch(row.id)
        plan = _planned(body, settings, look)
        self._refuse_dear(row, plan)
        target = self._settings.jobs / row.id

        def within(connection: Any) -> None:
            if not rows.accept(
                connection, row.id, self._holder, micros(self._service.store().clock())
            ):
                raise _GoneError("another has it")
            shutil.rmtree(target, ignore_errors=True)  # of one that died at this very place
            making.replace(target)

        look(0, None)
        write = functools.partial(apart.write_rows, look=look)
        reserved = Reserved(row.id, row.tenant, making, settings, within, write)
        self._service.submit(plan, digest=body.plan_digest, reserved=reserved)

    def _watch(self, submission_id: str) -> Callable[[int, int | None], None]:
        """What stops the preparation of what was cancelled, and of all when this ends."""

        def look(done: int, whole: int | None) -> None:
            if submission_id in self._called_off or self._closing.is_set():
                raise _GoneError("it is not wanted any more")

        return look

    @staticmethod
    def _refuse_dear(row: Submission, plan: Plan) -> None:
        """Raise where a plan would pass the ceiling that was set aside: a fault of ours.

        Raises:
            StateError: it would.
        """
        if plan.price is not None and (
            row.ceiling_usd is None or plan.price.max_usd > row.ceiling_usd
        ):
            raise StateError("the plan passes its ceiling", code="internal_error")

    def _refuse(self, row: Submission, error: PodtuneError) -> None:
        told = as_json(_scrubbed(to_stored(error)))
        if not self.refuse(row, error, told, self._holder):
            # It is a job already: no driver could be started for it, say.
            log.warning("submission %s: %s", row.id, scrub(error.message))

    def _let_go(self, ids: Sequence[str]) -> None:
        if ids:
            store = self._service.store()
            with store.transaction() as connection:
                rows.let_go(connection, ids, self._holder, micros(store.clock()))

    def _forget(self, submission_id: str) -> None:
        with self._lock:
            self._begun.discard(submission_id)
            self._called_off.discard(submission_id)
            event = self._done.pop(submission_id, None)
        if event is not None:
            event.set()


def _planned(body: Body, settings: Settings, look: apart.Look) -> Plan:
    """The plan that was approved, its data fetched; a new one where none was."""
    if body.plan is None:
        return apart.make_plan(body.request, settings, look)
    apart.fetch(body.request, settings, look)
    return body.plan


def _scrubbed(value: Any) -> Any:
    """JSON values without what looks like a secret, whichever text it stands in."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        named = cast("Mapping[str, Any]", value)
        return {name: _scrubbed(one) for name, one in named.items()}
    if isinstance(value, list | tuple):
        return [_scrubbed(one) for one in cast("Sequence[Any]", value)]
    return value
