"""Rows of submissions, on each database: names, claims, and what a budget has left."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy.exc import IntegrityError

from podtune.core.job import Instance, TerminationProof
from podtune.core.states import JobPhase, Outcome
from podtune.workflow import submissions
from podtune.workflow.columns import micros
from podtune.workflow.submissions import Place, Submission
from support import build, rented_jobs
from support.driving import held

NOW = build.NOW


def row(number="a1", **changes):
    values = {
        "id": number, "owner": "owner123", "tenant": "x", "key_id": "k", "kind": "training", "name": None,
        "digest": "0" * 64, "note": '{"a": 1}', "body": '{"secret": 1}', "state": "preparing", "error": None,
        "ceiling_usd": Decimal("3.000001"), "created_at": NOW, "begun_at": None, "settled_at": None,
    }  # fmt: skip
    return Submission(**values | changes)


@pytest.fixture
def clock(clock_at):
    return clock_at(NOW)


@pytest.fixture
def store(database, clock):
    made = database.store(clock)
    yield made
    made.close()


@pytest.fixture
def do(store, clock):
    """Call something on a connection in a transaction."""

    def call(function, *given):
        with store.transaction() as connection:
            return function(connection, *given)

    return call


@pytest.fixture
def add(do, clock):
    def call(*rows, holder="me", seconds=60):
        for one in rows:
            do(submissions.add, one, holder, seconds, micros(clock()))

    return call


def test_a_row_comes_back_as_it_was_written(do, add):
    full = row(name="ünï", begun_at=NOW, settled_at=NOW, error="{}", tenant=None)
    add(full)
    assert do(submissions.find, "a1") == full
    assert do(submissions.find, "a") is None
    assert do(submissions.some, ["a1", "none"]) == {"a1": full}


def test_a_name_is_unique_in_its_tenant_and_kind(do, add):
    add(row("a", name="n"), row("b", name="n", tenant=None), row("c", name="n", kind="openai"))
    add(row("d"), row("e"))
    for again in (row("f", name="n"), row("g", name="n", tenant=None)):
        with pytest.raises(IntegrityError):
            add(again)
    assert do(submissions.named, "x", "training", "n").id == "a"
    assert do(submissions.named, None, "training", "n").id == "b"
    assert do(submissions.named, "y", "training", "n") is None


def test_only_a_refused_one_gives_its_name_up(do, add, clock):
    add(row(name="n"))
    do(submissions.unname, "a1")
    assert do(submissions.named, "x", "training", "n").id == "a1"
    do(submissions.refuse, "a1", "{}", micros(clock()))
    do(submissions.unname, "a1")
    assert do(submissions.named, "x", "training", "n") is None
    add(row("b", name="n"))


def test_the_body_goes_with_the_state(do, add, clock):
    add(row("a"), row("b"))
    now = micros(clock())
    assert do(submissions.accept, "a", "me", now)
    assert do(submissions.refuse, "b", '{"code": "x"}', now, "me")
    for one, state in (("a", "accepted"), ("b", "refused")):
        found = do(submissions.find, one)
        assert (found.state, found.body, found.settled_at) == (state, None, NOW)
        assert not do(submissions.accept, one, "me", now)
        assert not do(submissions.refuse, one, "{}", now)
        assert do(submissions.begin, one, "me", now) is None
    assert do(submissions.find, "b").error == '{"code": "x"}'


def test_only_who_holds_it_prepares_it(do, add, clock):
    add(row())
    now = micros(clock())
    assert do(submissions.begin, "a1", "other", now) is None
    assert not do(submissions.accept, "a1", "other", now)
    assert not do(submissions.refuse, "a1", "{}", now, "other")
    assert do(submissions.begin, "a1", "me", now).begun_at == NOW
    clock.forward(5)
    assert do(submissions.begin, "a1", "me", micros(clock())).begun_at == NOW
    assert do(submissions.refuse, "a1", "{}", now), "anybody may cancel"


def take(do, clock, most=10, owner="owner123", holder="other"):
    return list(do(submissions.take_over, owner, holder, 60, most, micros(clock())))


def test_a_claim_that_is_not_renewed_is_taken_over_once(do, add, clock):
    add(row("a"), row("b", created_at=NOW - timedelta(1)), row("c", owner="another"))
    assert take(do, clock) == []
    clock.forward(50)
    do(submissions.renew, ["a", "b"], "me", 60, micros(clock()))
    clock.forward(50)
    assert take(do, clock) == []
    clock.forward(11)
    assert take(do, clock, most=1) == ["b"]
    assert take(do, clock) == ["a"]
    assert take(do, clock) == []
    assert do(submissions.begin, "a", "me", 1) is None
    assert do(submissions.begin, "a", "other", 1).id == "a"


def test_what_is_let_go_is_free_at_once(do, add, clock):
    add(row("a"), row("b"))
    do(submissions.let_go, ["a"], "me", micros(clock()))
    do(submissions.let_go, ["b"], "other", micros(clock()))
    assert take(do, clock) == ["a"]


def test_what_is_settled_is_never_taken_over(do, add, clock):
    add(row("a"), row("b"))
    do(submissions.accept, "a", "me", 1)
    do(submissions.refuse, "b", "{}", 1)
    clock.forward(100)
    assert take(do, clock) == []


def test_pages_are_newest_first_whatever_is_equally_old(do, add, store):
    add(*(row(f"r{n}", created_at=NOW + timedelta(seconds=n // 2)) for n in range(6)))
    add(row("y", tenant="y", kind="openai", created_at=NOW))
    store.add(build.job(id="job"))
    want = ["r5", "r4", "r3", "r2", "r1", "r0"]
    assert list(do(submissions.page, "x", None, None, 10)) == want
    whole, seen, place = ["r5", "r4", "r3", "r2", "y", "r1", "r0", "job"], [], None
    while ids := do(submissions.page, None, None, place, 3):
        seen += ids
        found = do(submissions.find, ids[-1])
        place = Place(found.created_at if found else NOW, ids[-1])
    assert sorted(seen) == sorted(whole)
    assert seen[:4] == whole[:4]
    assert list(do(submissions.page, None, "openai", None, 10)) == ["y"]
    assert list(do(submissions.page, None, "cli", None, 10)) == ["job"]
    assert list(do(submissions.page, "x", "cli", None, 10)) == []


def test_a_job_with_a_row_is_listed_once(do, add, store):
    add(row("job"))
    store.add(build.job(id="job"))
    assert list(do(submissions.page, None, None, None, 10)) == ["job"]


def taken(do, clock, besides=""):
    return do(submissions.taken, "k", clock(), besides)


def test_a_budget_is_taken_by_ceilings_until_jobs_end(do, add, store, clock):
    usd = Decimal(5)
    add(*(row(name, ceiling_usd=usd) for name in ("a", "b", "c", "d")))
    add(row("free", ceiling_usd=None), row("others", key_id="k2", ceiling_usd=usd))
    assert taken(do, clock) == 20
    do(submissions.refuse, "a", "{}", 1)
    assert taken(do, clock) == 15
    assert taken(do, clock, besides="b") == 10
    job = build.job(id="b", plan=rented_jobs.plan())
    store.add(job, lambda connection: submissions.accept(connection, "b", "me", 1))
    assert taken(do, clock) == 15
    wanted = {"intent_at": NOW, "instance_name": "n", "deadline": NOW + timedelta(hours=9)}
    ordered = store.apply(held(store, job), wanted, "orders")
    store.record_instance(ordered, Instance(id="p", name="n", started_at=NOW))
    clock.forward(3600)
    assert taken(do, clock) == 15
    proof = TerminationProof(instance_id="p", absent_at=clock(), method="m")
    store.record_absence(ordered, proof)
    done = {"phase": JobPhase.DONE, "outcome": Outcome.FAILED, "proof": proof}
    store.apply(store.get("b"), done, None)
    assert taken(do, clock) == Decimal("10.4"), "an hour at $0.40, and two ceilings"


def test_what_passed_its_ceiling_takes_what_it_costs(do, add, store, clock):
    add(row("b", ceiling_usd=Decimal("0.1")))
    job = build.job(id="b", plan=rented_jobs.plan())
    store.add(job, lambda connection: submissions.accept(connection, "b", "me", 1))
    wanted = {"intent_at": NOW, "instance_name": "n", "deadline": NOW + timedelta(hours=9)}
    store.apply(held(store, job), wanted, "orders")
    clock.forward(7200)
    assert taken(do, clock) == Decimal("0.8")


def test_many_ids_are_no_trouble(do, add):
    add(row("a"))
    assert set(do(submissions.some, [f"n{n}" for n in range(40_000)] + ["a"])) == {"a"}


def test_only_what_is_prepared_still_can_leave_its_caller_with_an_id(do, add, clock):
    add(row())
    now = micros(clock())
    assert not do(submissions.is_answered, "a1")
    assert do(submissions.answer, "a1", now)
    assert do(submissions.answer, "a1", now)
    assert do(submissions.is_answered, "a1")
    add(row("b1"))
    assert do(submissions.refuse, "b1", "{}", now)
    assert not do(submissions.answer, "b1", now)
    assert not do(submissions.is_answered, "b1")
    assert not do(submissions.is_answered, "none")
