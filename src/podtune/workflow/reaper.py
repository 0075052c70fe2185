"""The reaper: ends machines of this installation that no job wants, whatever became of their drivers.

It reads only the account's list, the names in it and the job store, so it needs no memory: what a crash
left behind is found by the next round. Of other installations that share the store, only what has outlived
its deadline is ended; machines of all others, and names that are not of podtune's form, are never touched.
Who asks a provider, and how, is not known here.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from podtune.core.clock import Clock
from podtune.core.errors import PodtuneError, UnavailableError
from podtune.core.job import Instance, TerminationProof
from podtune.core.limits import Limits
from podtune.providers.runpod import names
from podtune.workflow import lease, strays
from podtune.workflow.columns import micros
from podtune.workflow.fates import Fate, Found, Now, Verdict, found, judge, overdue
from podtune.workflow.lease import Driver
from podtune.workflow.pauses import LONGEST_S, pause_after
from podtune.workflow.steps import Effect
from podtune.workflow.store import JobStore
from podtune.workflow.strays import Claim, Stray

STALE_S: Final = 90.0
"""A list that took longer is of before a freeze (three tries of 20 s and their pauses take less): what it
shows may be proved gone by now."""

log = logging.getLogger(__name__)


class Account(Protocol):
    """A provider's account, as the reaper needs it."""

    def owned(self, owner: str) -> Sequence[Instance]:
        """Every machine of an installation, from one list.

        Raises:
            PodtuneError: the list cannot be read; nothing is known then.
        """
        ...

    def end_one(self, name: str, instance_id: str) -> TerminationProof | None:
        """End one machine, and no other of its name; None until its absence is proved (call again).

        Raises:
            PodtuneError: the provider cannot be asked or refuses (`foreign_machine`: it is called
                otherwise by now, and is left alone); call again.
        """
        ...

    def told_at(self) -> datetime | None:
        """The provider's own time, as it last answered; None where it does not say."""
        ...


def lease_name(account: str | None, owner: str) -> str:
    """The lease under which one process at a time makes the rounds."""
    return f"reaper {account or '-'} {owner}"


class Sweep:
    """Looks over one account and ends what has to be ended; keeps what it found in the store."""

    def __init__(
        self, store: JobStore, account: Account, driver: Driver, clock: Clock, limits: Limits
    ) -> None:
        """`account` is what the driver's key opens; nothing is asked yet."""
        self._store, self._account, self._driver = store, account, driver
        self._clock, self._limits = clock, limits

    def look(self, *, keeps: bool = True) -> Mapping[Found, Verdict]:
        """Compare the account with the store; write what follows from it, unless `keeps` is off.

        Raises:
            PodtuneError: the account cannot be asked, or the store not be used: nothing is concluded.
        """
        begun = self._clock()
        there = self._there()
        # The store is read after the list: whatever is listed had its order written before.
        now = Now(self._clock(), self._account.told_at())
        if (now.here - begun).total_seconds() > STALE_S:
            raise UnavailableError("the list came too late to conclude anything from it")
        with self._store.transaction() as connection:
            if keeps:
                self._rehome(connection, there, now.here)
            rows = {stray.id: stray for stray in self._rows(connection)}
            seen = {one.id: one for one in (*_remembered(rows.values()), *there)}.values()
            claims = strays.claims(connection, (one.said.job for one in seen))
            verdicts = dict[Found, Verdict]()
            for one in seen:
                claim, row = claims.get(one.said.job), rows.get(one.id)
                first = row.first_seen_at if row else now.here
                verdict = self._verdict(one, claim, first, now)
                if verdict is None:
                    continue
                verdicts[one] = verdict
                if keeps:
                    self._write(connection, one, claim, verdict, now.here)
        return verdicts

    def _rehome(self, connection: Any, there: Sequence[Found], now: datetime) -> None:
        """Jobs that were submitted with a key that has been changed since."""
        own = {one.name for one in there if one.said.owner == self._driver.owner}
        alarm_s = self._limits.terminate_alarm_s
        for job in lease.rehome(connection, self._driver, own, micros(now), alarm_s):
            log.warning("job %s goes on with the present key", job)

    def _there(self) -> list[Found]:
        """What the account shows of this installation, and of the others that share the store."""
        with self._store.transaction() as connection:
            owners = {*strays.owners(connection), self._driver.owner}
        return [one for owner in sorted(owners) for one in found(self._account.owned(owner), owner)]

    def _verdict(
        self, one: Found, claim: Claim | None, first: datetime, now: Now
    ) -> Verdict | None:
        """None of another installation's machine in its time: its own reaper judges it, if it still lives."""
        if one.said.owner == self._driver.owner:
            return judge(one, claim, first, now, self._limits)
        return overdue(one, now.here, now.there)

    def unproved(self) -> list[Stray]:
        """Strays in this account that are not proved gone: of this installation, or being ended."""
        with self._store.transaction() as connection:
            return self._rows(connection)

    def end(self, machine_id: str, name: str) -> TerminationProof | None:
        """Ask for a machine's end, or go on with it; None until there is a proof (call again).

        Where another process has proved it meanwhile, its proof counts.

        Raises:
            PodtuneError: the account cannot be asked; call again.
        """
        with self._store.transaction() as connection:
            known = strays.find(connection, machine_id)
        if known is not None and known.absent_at is not None:
            return TerminationProof(
                instance_id=machine_id, absent_at=known.absent_at, method=known.proof or ""
            )
        try:
            proof = self._account.end_one(name, machine_id)
        except PodtuneError as error:
            if error.code != "foreign_machine":
                raise
            # Somebody gave it another name, and so keeps it: it is none of ours any more.
            proof = TerminationProof(
                instance_id=machine_id, absent_at=self._clock(), method=error.message
            )
        if proof is not None:
            log.warning("%s (%s) is gone: %s", name, machine_id, proof.method)
            with self._store.transaction() as connection:
                strays.prove(connection, machine_id, proof, self._clock())
        return proof

    def _rows(self, connection: Any) -> list[Stray]:
        rows = strays.unproved(connection)
        return [
            row
            for row in rows
            if row.account == self._driver.account
            and (row.asked_at is not None or names.is_owned(row.name, self._driver.owner))
        ]

    def _write(
        self, connection: Any, one: Found, claim: Claim | None, verdict: Verdict, now: datetime
    ) -> None:
        if verdict.fate is Fate.KEEP:
            strays.forget(connection, one.id)
            return
        prices = (one.usd_per_hour, claim.usd_per_hour.get(one.name) if claim else None)
        stray = Stray(
            id=one.id,
            name=one.name,
            account=self._driver.account,
            job=one.said.job if claim else None,
            usd_per_hour=max((price for price in prices if price), default=None),
            reason=verdict.why,
            first_seen_at=now,
            asked_at=None,
            absent_at=None,
            proof=None,
        )
        strays.see(connection, stray)
        if verdict.fate is Fate.END and strays.ask(connection, stray, now):
            hourly = "?" if stray.usd_per_hour is None else f"{stray.usd_per_hour:f}"
            log.warning("ends %s (%s), $%s/h: %s", one.name, one.id, hourly, verdict.why)


class Reaper:
    """A sweep at start and then now and then, off the driver's loop (`podtune.workflow.driver.Round`)."""

    def __init__(  # noqa: PLR0913 - wiring, called once
        self,
        store: JobStore,
        account: Account,
        driver: Driver,
        *,
        executor: Executor,
        clock: Clock,
        limits: Limits,
        is_wanted: Callable[[], bool] = lambda: True,
        on_answer: Callable[[bool], None] = lambda has_answered: None,
    ) -> None:
        """Nothing is asked yet.

        Args:
            store: The job store.
            account: What the driver's key opens.
            driver: Who makes the rounds.
            executor: Where they run, one at a time.
            clock: Gives aware UTC.
            limits: Times.
            is_wanted: Whether there is anything to look for: a home that never rented asks nobody.
            on_answer: Told after each list whether the provider answered.
        """
        self._sweep = Sweep(store, account, driver, clock, limits)
        self._store, self._driver = store, driver
        self._executor, self._clock, self._limits = executor, clock, limits
        self._is_wanted, self._on_answer = is_wanted, on_answer
        self._every = timedelta(seconds=limits.reap_every_s)
        self._under_way: Future[datetime] | None = None
        self._next_at: datetime | None = None
        self._look_at: datetime | None = None
        self._open = 0
        self._failures: dict[str, int] = {}
        self._not_before: dict[str, datetime] = {}

    def due(self) -> None:
        """Begin a round, or go on with one, where it is time."""
        if self._under_way is not None:
            if not self._under_way.done():
                return
            self._next_at = self._taken_in(self._under_way)
            self._under_way = None
        if self._is_time(self._next_at):
            self._under_way = self._executor.submit(self.work)

    def is_busy(self) -> bool:
        """Whether a machine that should be gone is not proved to be, or nobody looked yet."""
        return self._open > 0 or self._next_at is None

    def next_at(self) -> datetime | None:
        """When there is something to begin; None before the first round is over."""
        return self._next_at

    def work(self) -> datetime:
        """One turn: look at the account where that is due, then go on with what ends; when to go on.

        Raises:
            PodtuneError: the job store cannot be used.
        """
        now = self._clock()
        if not self._is_wanted():
            return now + self._every
        name, holder = lease_name(self._driver.account, self._driver.owner), self._driver.holder
        if self._store.take_lease(name, holder, self._limits.reap_every_s) is None:
            self._open = len(self._sweep.unproved())
            return now + self._every
        if self._is_time(self._look_at):
            self._look_at = now + self._every
            self._look()
        unproved = self._sweep.unproved()
        self._open = len(unproved)
        for stray in unproved:
            if stray.asked_at is not None and self._is_time(self._not_before.get(stray.id)):
                self._end(stray)
        moments = [self._not_before[one.id] for one in unproved if one.id in self._not_before]
        return min([*moments, self._look_at or now])

    def _look(self) -> None:
        try:
            self._sweep.look()
        except PodtuneError as error:
            self._on_answer(False)
            log.warning("no look over the account: %s", error.message)
        else:
            self._on_answer(True)

    def _end(self, stray: Stray) -> None:
        try:
            proof = self._sweep.end(stray.id, stray.name)
        except PodtuneError as error:
            log.warning("ending %s: %s", stray.name, error.message)
            self._failures[stray.id] = self._failures.get(stray.id, 0) + 1
            proof = None
        else:
            self._failures.pop(stray.id, None)
        if proof is not None:
            self._open -= 1
            self._not_before.pop(stray.id, None)
            return
        pause = pause_after(Effect.TERMINATE, self._limits, self._failures.get(stray.id, 0))
        self._not_before[stray.id] = self._clock() + timedelta(seconds=pause)

    def _is_time(self, moment: datetime | None) -> bool:
        """Whether a moment has come; one that is further off than any pause is of a clock set back."""
        if moment is None:
            return True
        left = (moment - self._clock()).total_seconds()
        return left <= 0 or left > max(LONGEST_S, self._limits.reap_every_s)

    def _taken_in(self, future: Future[datetime]) -> datetime:
        error = future.exception()
        if error is None:
            return future.result()
        if isinstance(error, PodtuneError):
            log.warning("no round over the account: %s", error.message)
        else:  # a fault of ours must not stop the rounds
            log.error("a round over the account failed", exc_info=error)
        return self._clock() + self._every


def _remembered(rows: Iterable[Stray]) -> list[Found]:
    """Strays as a list showed them: what is missing from it is not gone, it has to be proved gone."""
    read = [(row, names.parse(row.name)) for row in rows]
    return [Found(row.id, row.name, said, row.usd_per_hour) for row, said in read if said]
