"""The jobs a driver holds: claimed, read once, and read again when they change."""

from datetime import timedelta
from decimal import Decimal

import pytest

from podtune.core.errors import StateError
from podtune.core.job import Instance
from podtune.core.states import JobPhase
from podtune.workflow.roster import WHOLE_EVERY, Roster
from podtune.workflow.store import JobStore
from support import build, rented_jobs
from support.driving import ME, OTHER
from support.executors import Pushed


@pytest.fixture
def clock():
    return Pushed(build.NOW)


@pytest.fixture
def store(tmp_path, clock):
    made = JobStore(tmp_path / "podtune.db", clock=clock)
    made.hold(ME, 1e6)
    yield made
    made.close()


@pytest.fixture(scope="module")
def plan():
    return build.plan()


@pytest.fixture
def add(store, plan):
    def added(name, minutes=0, **changes):
        job = build.job(
            id=name,
            created_at=build.NOW + timedelta(minutes=minutes),
            **{"plan": plan, **changes},
        )
        store.add(job)
        return job

    return added


@pytest.fixture
def roster(store, clock):
    return Roster(store, ME, clock)


def test_free_jobs_are_claimed_and_come_oldest_first(roster, add):
    add("young", minutes=5)
    add("old")
    add("done", phase=JobPhase.DONE)
    assert roster.refresh() == {"young", "old"}
    assert [job.id for job in roster] == ["old", "young"]
    assert [job.id for job in roster.among({"young", "old"})] == ["old", "young"]
    assert (len(roster), roster.get("done")) == (2, None)
    assert roster.get("old").holder == "me"


def test_nothing_is_read_again_while_nothing_changes(roster, add, store, monkeypatch):
    add("a")
    roster.refresh()
    monkeypatch.setattr(store, "some", lambda known: pytest.fail("read again"))
    monkeypatch.setattr(store, "held", lambda holder: pytest.fail("read again"))
    assert roster.refresh() == set()


def test_what_others_write_is_seen_in_the_next_round(roster, add, store):
    add("a")
    add("b")
    roster.refresh()
    store.cancel("b")
    assert roster.refresh() == {"b"}
    assert roster.get("b").desired == "cancelled"


def test_a_job_that_is_done_or_taken_goes(roster, add, store):
    add("a")
    add("b")
    roster.refresh()
    store.apply(roster.get("a"), {"phase": JobPhase.DONE}, None)
    assert roster.refresh() == {"a"}
    store.leave("me")
    store.hold(OTHER, 100)
    store.claim(OTHER)
    assert roster.refresh() == {"b"}
    assert len(roster) == 0


def test_a_change_that_the_sum_of_versions_hides_is_found_a_little_later(roster, add, store, clock):
    add("a")
    roster.refresh()
    store.hold(OTHER, 100)
    with store.transaction() as connection:
        connection.exec_driver_sql("UPDATE jobs SET holder = 'other' WHERE id = 'a'")
    add("b")
    assert roster.refresh() == set(), "one job of version 2, as before"
    clock.now += WHOLE_EVERY
    roster.refresh()
    assert [job.id for job in roster] == ["b"]


def test_what_was_ordered_is_counted(roster, add, store, clock):
    add("a", plan=rented_jobs.plan())
    roster.refresh()
    assert roster.spent("a", build.NOW) == 0
    deadline = build.NOW + timedelta(hours=4)
    name = "pt-owner123-a-1-x1800000000"
    wanted = {"intent_at": build.NOW, "instance_name": name, "deadline": deadline}
    store.apply(roster.get("a"), wanted, None)
    roster.refresh()
    later = build.NOW + timedelta(hours=1)
    assert roster.spent("a", later) == Decimal("0.40")
    made = Instance(id="p", name=name, started_at=build.NOW, usd_per_hour=Decimal("0.80"))
    store.record_instance(roster.get("a"), made)
    roster.refresh()
    assert roster.spent("a", later) == Decimal("0.80")
    assert roster.spent("stranger", later) == 0


def test_a_job_whose_orders_could_not_be_read_is_not_taken_for_one_that_cost_nothing(
    tmp_path, clock
):
    """Else its next machine would get the whole ceiling once more."""

    class Stumbling(JobStore):
        fails = False

        def orders(self, *job_ids):
            if self.fails:
                raise StateError("database is locked", code="state_unavailable")
            return super().orders(*job_ids)

    store = Stumbling(tmp_path / "podtune.db", clock=clock)
    store.hold(ME, 1e6)
    job = rented_jobs.job(JobPhase.PROVISIONING, instance_id=None, intent_at=None)
    store.add(job)
    roster = Roster(store, ME, clock)
    roster.refresh()
    intent = {"intent_at": build.NOW, "instance_name": "pt-a-b-1", "deadline": rented_jobs.DEADLINE}
    store.apply(store.get(job.id), intent, "orders")
    later = build.NOW + timedelta(hours=1)
    store.fails = True
    with pytest.raises(StateError):
        roster.refresh()
    store.fails = False
    assert job.id in roster.refresh()
    assert roster.spent(job.id, later) > 0
    store.close()
