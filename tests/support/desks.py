"""Callers of a shared face at a desk on a home of its own; nothing is driven. For tests only."""

import hashlib
import json
from decimal import Decimal
from pathlib import Path

from sqlalchemy import select, update

from podtune.app.asked import Asked
from podtune.app.desk import Desk
from podtune.app.service import Service
from podtune.app.submissions import Submissions
from podtune.core.access import THIS_MACHINE, Principal, Scope
from podtune.core.request import TrainingRequest
from podtune.workflow import keys
from podtune.workflow.keys import ApiKey
from podtune.workflow.tables import submissions as table
from support import homes, waiting

ALL = frozenset({Scope.SUBMIT, Scope.READ, Scope.CANCEL})


SECRET = "PLANTEDSIGNATURE"
"""In the query of an address."""


def tenant(name: str, *scopes: Scope) -> Principal:
    """A caller with a key of a tenant."""
    return Principal(tenant=name, key_id=f"key{name}", name=name, scopes=frozenset(scopes) or ALL)


def uploaded(service: Service, count: int = 24, name: str = "tickets.jsonl") -> Path:
    """A good data file where callers' files are."""
    return homes.data(service.settings.home / "files" / "f1", count, name)


def asked(source: Path | str, name: str | None = None, kind: str = "training", **stated) -> Asked:
    """A request on a source; stated keys have `__` for dots. The same makes the same digest."""
    fields = {"data.source": str(source)} | {k.replace("__", "."): v for k, v in stated.items()}
    digest = hashlib.sha256(json.dumps(fields, sort_keys=True, default=str).encode()).hexdigest()
    return Asked(TrainingRequest(stated=fields), kind, name, digest, {"from": "a test"})


def settled(desk: Desk, job_id: str):
    """How it stands once it is not prepared any more."""
    return waiting.until(
        lambda: (found := desk.get(job_id)).state != "preparing" and found, "an end", 60
    )


def rows_in(service: Service) -> int:
    """How many jobs there are in the store."""
    return len(service.store().recent(10_000))


def litter(service: Service) -> list[str]:
    """What preparations left in the home."""
    jobs, downloads = service.settings.jobs, service.settings.home / "downloads"
    left = [p.name for p in jobs.glob(".*")] if jobs.is_dir() else []
    return left + ([p.name for p in downloads.iterdir()] if downloads.is_dir() else [])


class Office:
    """A service, its submissions, and desks for callers."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.submissions = Submissions(service)
        self.here = self.desk(THIS_MACHINE)

    def desk(self, principal: Principal) -> Desk:
        return Desk(self.service, principal, self.submissions)

    def again(self) -> "Office":
        """Another process on the same home."""
        return Office(Service(self.service.settings))

    def close(self) -> None:
        self.submissions.close()


def row_of(office: Office, job_id: str):
    """A submission as it stands in the table."""
    with office.service.store().transaction() as connection:
        return connection.execute(select(table).where(table.c.id == job_id)).one()


def abandon(office: Office) -> None:
    """What was claimed is held by a process that died."""
    with office.service.store().transaction() as connection:
        connection.execute(update(table).values(held_until=1, holder="dead"))


def key_of(office, budget, number="budgeted"):
    """A key with a budget, and who it makes of its bearer."""
    store = office.service.store()
    scopes = frozenset({Scope.ADMIN})
    key = ApiKey(number, "n", number, scopes, None, None, Decimal(budget), store.clock(), None)
    with store.transaction() as connection:
        keys.add(connection, key, "0" * 64)
    return Principal(tenant=None, key_id=number, scopes=scopes, budget_usd=Decimal(budget))


RENTED = {"where__on": "runpod"}
