"""What must hold after every schedule (`reliability-security.md` 2.3), each as one function. For tests only.

An invariant reads the simulator's ledger and the final rows, and gives what is wrong in words.
"""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import combinations
from typing import Final

from faults.ledger import Audit, Machine
from faults.stage import SCALED
from podtune.core.artifact import RECEIPT
from podtune.core.errors import PodtuneError
from podtune.core.events import parse_line
from podtune.core.limits import SKEW_S
from podtune.core.states import Outcome
from podtune.providers.runpod import names
from podtune.testing.scripted_files import artifact, sha256_of
from podtune.workflow.intents import UNSEEN

TOGETHER_S: Final = 60.0
"""How long two machines that RunPod made for one order may live beside each other."""

OVERRUN: Final = timedelta(seconds=180)
"""Behind its deadline a machine is ended by somebody within: clocks that differ by 120 s, a reaper each
minute (`Limits.overrun_reserve_s`)."""

ROUND: Final = timedelta(seconds=75)
"""A reaper's minute, and its requests."""

UNASKED_S: Final = SCALED["boot_limit_s"] + 20
"""A machine to which nobody speaks ends itself: its boot limit, from the start of its container."""

ZERO: Final = Decimal(0)
CENT: Final = Decimal("0.0001")
"""Of rounding."""

MOST_A_MINUTE: Final = 180
"""Requests to the control plane in a minute: RunPod's limit."""


def i1_no_machine_left(audit: Audit) -> Iterator[str]:
    """Nothing that was ever made is alive."""
    for machine in audit.ledger.machines:
        if machine.ended_at is None:
            yield f"{machine.name} ({machine.id}) is alive"


def i2_billed_within_the_ceiling(audit: Audit) -> Iterator[str]:
    """The cloud's own bill is at most the ceiling, but for what nobody could end, and nobody ordered.

    A machine costs on while RunPod refuses or loses every request to end it; what it costs from the first
    such refusal, or its deadline, until a minute behind the last one is RunPod's. So is what a machine costs that RunPod
    made besides the one that was ordered, until its own boot limit.
    """
    price = audit.rows.job.plan.price
    billed = sum(
        (machine.usd - _refused_usd(machine, audit) for machine in audit.ledger.machines), ZERO
    )
    billed -= sum((_unasked_usd(machine) for machine in audit.ledger.machines), ZERO)
    if price is not None and billed > price.max_usd:
        yield f"billed ${billed:.4f} of a ceiling of ${price.max_usd}"


def _refused_usd(machine: Machine, audit: Audit) -> Decimal:
    name = names.parse(machine.name)
    if name is None or name.deadline is None or machine.ended_at is None:
        return ZERO
    overdue = min([name.deadline + OVERRUN, *audit.ledger.kept_alive])
    refused = [at for at in audit.ledger.refused if overdue - ROUND <= at <= machine.ended_at]
    until = min(machine.ended_at, max(refused, default=overdue) + ROUND)
    if until <= overdue:
        return ZERO
    return machine.usd * Decimal(str((until - overdue).total_seconds() / _lived_s(machine)))


def _unasked_usd(machine: Machine) -> Decimal:
    if not machine.is_second or machine.ended_at is None:
        return ZERO
    return machine.usd * Decimal(str(min(1.0, UNASKED_S / _lived_s(machine))))


def _lived_s(machine: Machine) -> float:
    if machine.ended_at is None:
        return float("inf")
    return max(0.1, (machine.ended_at - machine.made_at).total_seconds())


def i2_meter_covers_the_bill(audit: Audit) -> Iterator[str]:
    """Our own meter never says less than RunPod bills.

    But for a second machine of one order that ended itself before any list showed it: only the bill tells
    of it. But for a price that rose for a machine that nobody ever saw: it counts at the price listed. And but for what clocks may differ by, where one was set back when a driver started.
    """
    job = audit.rows.job
    if not job.is_finished:
        return
    orders = audit.rows.orders
    billed = ZERO
    for name in {machine.name for machine in audit.ledger.machines}:
        made = [machine for machine in audit.ledger.machines if machine.name == name]
        if audit.ledger.counts["late orders"]:
            made = [machine for machine in made if not machine.is_second]
        costs = sorted((_as_listed(machine, audit) for machine in made), reverse=True)
        seen = max(1, sum(order.name == name for order in orders))
        billed += sum(costs[:seen] if any(m.is_second for m in made) else costs, ZERO)
    metered = sum((order.usd(job.updated_at) for order in orders), ZERO)
    if audit.ledger.counts["starts by a clock set back"]:
        hourly = max((order.usd_per_hour for order in orders), default=ZERO)
        metered += hourly * Decimal(SKEW_S) / 3600 * len(orders)
    if billed > metered + Decimal("0.000001"):
        yield f"billed ${billed:.4f}, our meter says ${metered:.4f}"


def _as_listed(machine: Machine, audit: Audit) -> Decimal:
    unseen = [o for o in audit.rows.orders if (o.name, o.instance_id) == (machine.name, UNSEEN)]
    if not unseen:
        return machine.usd
    told = machine.usd - _refused_usd(machine, audit)
    return min(told, unseen[0].usd_per_hour * Decimal(str(_lived_s(machine))) / 3600)


def i2_reserved_in_time(audit: Audit) -> Iterator[str]:
    """Before each order its cost until its end, outliving included, was set aside, within the ceiling.

    But for an order that a driver sent which stood still between its last look and the request: no look
    can be so late that nothing may happen after it (ADR 0009).
    """
    price = audit.rows.job.plan.price
    if price is None or audit.ledger.counts["late orders"]:
        return
    if any("gone on without it" in line.message for line in audit.rows.log):
        return  # a reaper with a list of before a freeze ended it again: it is metered for longer than it lived
    for order in audit.rows.orders:
        listed = {rung.offer.hourly for rung in price.ladder}
        if order.reserved_usd is None or order.usd_per_hour not in listed:
            continue  # RunPod's own doing: a second machine for one order, a price that rose
        before = [o for o in audit.rows.orders if o.intent_at < order.intent_at]
        taken = sum((o.metered(order.intent_at) for o in before), ZERO)
        if taken + order.reserved_usd > price.max_usd + CENT:
            yield f"${taken:.4f} spent and ${order.reserved_usd:.4f} reserved, of ${price.max_usd}"


def i3_every_job_is_terminal(audit: Audit) -> Iterator[str]:
    """The job is done, with an outcome."""
    job = audit.rows.job
    if audit.problem:
        yield audit.problem
    if not job.is_finished or job.outcome is None:
        yield f"the job is {job.phase} with outcome {job.outcome}"


def i3_terminal_never_changes(audit: Audit) -> Iterator[str]:
    """An outcome that was written once stays, and nothing is written behind the end."""
    outcomes = [write.outcome for write in audit.ledger.writes]
    settled = [outcome for outcome in outcomes if outcome is not None]
    if len(set(settled)) > 1 or None in outcomes[len(outcomes) - len(settled) :]:
        yield f"outcomes {settled}"
    phases = [write.phase for write in audit.ledger.writes]
    if "done" in phases[:-1]:
        yield "something was written behind the end"
    if settled and audit.rows.job.outcome != settled[-1]:
        yield f"the row says {audit.rows.job.outcome}, committed was {settled[-1]}"


def i4_one_terminal_callback(audit: Audit) -> Iterator[str]:
    """One id in the outbox and at the receiver, and its payload says what the row says."""
    job, told = audit.rows.job, audit.rows.outbox
    if not job.is_finished:
        return
    wanted = f"{job.id}:terminal"
    if [message.id for message in told] != [wanted]:
        yield f"callbacks {[message.id for message in told]}"
    if {callback.id for callback in audit.ledger.callbacks} - {wanted}:
        yield f"received {[callback.id for callback in audit.ledger.callbacks]}"
    may_hear = audit.ledger.is_receiver_up and not audit.ledger.is_unwanted
    if may_hear and not audit.ledger.callbacks:
        yield "the application was told nothing"
    kind = _KINDS[job.outcome] if job.outcome else ""
    for body in (*(message.body for message in told), *(c.body for c in audit.ledger.callbacks)):
        said = json.loads(body)
        if said["type"] != f"training.{kind}" or said["data"]["job_id"] != job.id:
            yield f"told {said['type']}, stored {job.outcome}"


_KINDS: Final = {
    Outcome.COMPLETED: "completed", Outcome.CANCELLED: "cancelled", Outcome.FAILED: "failed",
    Outcome.TIMED_OUT: "failed",
}  # fmt: skip
"""The words of callbacks (`docs/how-to/callbacks.md`)."""


def i5_completed_means_whole(audit: Audit) -> Iterator[str]:
    """What lies here is what the worker made, byte for byte, and the receipt is signed."""
    job = audit.rows.job
    if job.outcome is not Outcome.COMPLETED:
        return
    folder = audit.rows.folder / "artifact"
    for name, content in artifact(f"{job.id}-{job.attempt}", 64).items():
        path = folder / name
        if not path.is_file() or sha256_of(path.read_bytes()) != sha256_of(content):
            yield f"{name} is not what the worker made"
    if job.is_finished and job.error_code is None and not (folder / RECEIPT).is_file():
        yield "there is no receipt"
    if (folder / RECEIPT).is_file():
        yield from _receipt_faults(audit)


def _receipt_faults(audit: Audit) -> Iterator[str]:
    from podtune.app import receipts

    try:
        receipts.verify(audit.rows.folder / "artifact", "")
    except PodtuneError as error:
        yield f"receipt: {error.message}"


def i6_one_machine_at_a_time(audit: Audit) -> Iterator[str]:
    """Never two of one job, but for what RunPod itself made twice; and no name is ordered twice."""
    machines = audit.ledger.machines
    for first, second in combinations(machines, 2):
        if _together_s(first, second) > (TOGETHER_S if second.is_second else 0):
            if second.is_second and not _is_calm(audit):
                continue
            yield f"{first.name} ({first.id}) and {second.name} ({second.id}) lived together"
    ordered = [machine.name for machine in machines if not machine.is_second]
    for name in {name for name in ordered if ordered.count(name) > 1}:
        yield f"{name} was ordered {ordered.count(name)} times"


def _together_s(first: Machine, second: Machine) -> float:
    forever = first.made_at + timedelta(days=1000)
    end = min(first.ended_at or forever, second.ended_at or forever)
    return (end - max(first.made_at, second.made_at)).total_seconds()


def _is_calm(audit: Audit) -> bool:
    """Whether a driver was there all the time, and RunPod heard it."""
    counts = audit.ledger.counts
    return not (counts["kills"] or counts["freezes"] or audit.ledger.refused)


def i7_no_event_lost(audit: Audit) -> Iterator[str]:
    """Every line that was committed is in the log, and a completed worker's events are all here."""
    logged = [entry.message for entry in audit.rows.log]
    missing = [note for note in audit.ledger.notes if logged.count(note) < 1]
    if missing:
        yield f"lines lost: {missing[:3]}"
    by_attempt: dict[int, list[int]] = {}
    path = audit.rows.folder / "events.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        event = parse_line(line)
        if event is None:
            yield f"an unreadable event: {line[:80]!r}"
            continue
        by_attempt.setdefault(event.attempt, []).append(event.seq)
    for attempt, numbers in by_attempt.items():
        if len(set(numbers)) != len(numbers):
            yield f"events of attempt {attempt} twice"
    job = audit.rows.job
    if job.outcome is Outcome.COMPLETED:
        numbers = by_attempt.get(job.attempt, [])
        if sorted(numbers) != list(range(len(numbers))) or len(numbers) < 6:
            yield f"events of attempt {job.attempt}: {numbers}"


def i8_no_other_host(audit: Audit) -> Iterator[str]:
    """Nobody but RunPod was asked."""
    others = audit.ledger.hosts - audit.allowed
    if others:
        yield f"asked {sorted(others)}"


def i9_no_secret_shown(audit: Audit) -> Iterator[str]:
    """No planted secret stands in the database, a log, an event, a request line or a callback."""
    places = {
        "the database": audit.rows.dump,
        "the log": "\n".join(audit.ledger.log),
        "a request line": "\n".join(audit.ledger.asked),
        "a callback": "\n".join(callback.body for callback in audit.ledger.callbacks),
    }
    for name in (
        "events.jsonl",
        "worker.log",
        "machine.json",
        "pulled.json",
        "bundle.json",
        "order.json",
    ):
        path = audit.rows.folder / name
        if path.exists():
            places[name] = path.read_text(encoding="utf-8", errors="replace")
    for place, text in places.items():
        for secret in audit.secrets:
            if secret in text:
                yield f"{secret[:4]}... stands in {place}"


def i10_bounded(audit: Audit) -> Iterator[str]:
    """Requests in a minute."""
    if audit.ledger.busiest_minute > MOST_A_MINUTE:
        yield f"{audit.ledger.busiest_minute} requests in a minute"


def proof_for_every_machine(audit: Audit) -> Iterator[str]:
    """Every order is closed, and each proof was true when it was written."""
    job, machines = audit.rows.job, audit.ledger.machines
    if job.is_finished and job.proof is None:
        yield "done without a proof of absence"
    for order in audit.rows.orders:
        if job.is_finished and order.absent_at is None:
            yield f"{order.name} was never proved gone"
    for write in audit.ledger.writes:
        if write.proved:
            for machine in machines:
                if machine.made_at > write.at and audit.ledger.counts["late orders"]:
                    continue  # it came after the proof; the reaper's
                if machine.ended_at is None or machine.ended_at > write.at:
                    yield f"proof of absence while {machine.name} ({machine.id}) was there"


def no_early_end(audit: Audit) -> Iterator[str]:
    """Nothing is ended for its deadline before that has come."""
    for name in audit.ledger.reaped_early:
        yield f"the reaper ended {name} before its deadline"
    if audit.ledger.counts["starts by a clock set forward"]:
        return  # a process that begins then has nothing else to go by
    deadlines = [
        n.deadline for m in audit.ledger.machines if (n := names.parse(m.name)) and n.deadline
    ]
    hours = [order.deadline for order in audit.rows.orders if order.deadline]
    for write in audit.ledger.writes:
        if write.outcome == Outcome.TIMED_OUT and deadlines and hours:
            first = min(*deadlines, *hours) - timedelta(seconds=SCALED["upload_reserve_s"] + 1)
            if write.at < first:
                yield f"timed out at {write.at}, the deadline was {first}"
            return


Invariant = Callable[[Audit], Iterator[str]]

ALL: Final[tuple[Invariant, ...]] = (
    i1_no_machine_left,
    i2_billed_within_the_ceiling,
    i2_meter_covers_the_bill,
    i2_reserved_in_time,
    i3_every_job_is_terminal,
    i3_terminal_never_changes,
    i4_one_terminal_callback,
    i5_completed_means_whole,
    i6_one_machine_at_a_time,
    i7_no_event_lost,
    i8_no_other_host,
    i9_no_secret_shown,
    i10_bounded,
    proof_for_every_machine,
    no_early_end,
)


def broken(audit: Audit) -> dict[str, list[str]]:
    """Everything that is wrong, by invariant."""
    found = {check.__name__: list(check(audit)) for check in ALL}
    return {name: words for name, words in found.items() if words}
