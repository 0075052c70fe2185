"""Ids given away: found again under a name, once; and what a key's budget has left."""

import pytest
from sqlalchemy import update

from podtune.app import planner
from podtune.core.errors import (
    ConflictError,
    ForbiddenError,
    PodtuneError,
    SpecError,
)
from podtune.workflow.tables import submissions as table
from support import desks, homes
from support.at_once import at_once


def test_what_is_asked_becomes_a_job_under_the_id_that_was_reserved(office, mine, spawned):
    found = office.here.submit(mine("a"))
    assert (found.state, found.job.id, found.duplicate) == ("accepted", found.id, False)
    assert (found.kind, found.name, found.note) == ("training", "a", {"from": "a test"})
    assert found.id.startswith("tickets-")
    copied = office.service.folder(found.job).data_file("train.jsonl")
    assert copied.read_text().count("\n") == 24
    assert spawned == [office.service.settings.home]
    assert desks.litter(office.service) == []


def test_a_thousand_that_ask_the_same_get_one_job(shared_office, mine, monkeypatch):
    planned = []
    real = planner.make_plan
    monkeypatch.setattr(planner, "make_plan", lambda *given: (planned.append(1), real(*given))[1])
    request = mine("the same")
    found = at_once(lambda asked: shared_office.here.submit(asked, wait_s=0), [request] * 1000)
    errors = [one for one in found if isinstance(one, Exception)]
    assert errors == []
    assert len({one.id for one in found}) == 1
    assert sum(not one.duplicate for one in found) == 1
    assert desks.settled(shared_office.here, found[0].id).state == "accepted"
    assert desks.rows_in(shared_office.service) == 1
    assert planned == [1]


def test_two_gateways_make_one_job(shared_office, mine):
    other = shared_office.again()
    request = mine("the same")
    found = at_once(
        lambda office: office.here.submit(request, wait_s=30), [shared_office, other] * 8
    )
    assert len({one.id for one in found}) == 1
    desks.settled(other.here, found[0].id)
    assert desks.rows_in(other.service) == 1
    other.close()
    other.service.close()


def test_another_body_under_the_same_name_is_refused(office, mine):
    first = office.here.submit(mine("a"))
    with pytest.raises(ConflictError) as caught:
        office.here.submit(mine("a", training__epochs=2))
    assert caught.value.code == "idempotency_conflict"
    assert caught.value.context == {"id": first.id}


def test_a_name_is_one_of_its_tenant_and_kind(office, mine):
    ids = {office.here.submit(mine("a")).id}
    ids.add(office.here.submit(mine("a")._replace(kind="openai")).id)
    ids.add(office.here.submit(mine()).id)
    ids.add(office.here.submit(mine()).id)
    source = desks.uploaded(office.service)
    for who in ("x", "y"):
        found = office.desk(desks.tenant(who)).submit(desks.asked(source, "a"))
        assert found.job.tenant == found.tenant == who
        ids.add(found.id)
    assert len(ids) == 6


@pytest.fixture
def bad(user):
    path = user / "bad.jsonl"
    path.write_text('{"prompt": "x"}\n')
    return path


def test_bad_data_is_refused_and_the_row_keeps_why(office, mine, bad):
    with pytest.raises(PodtuneError) as caught:
        office.here.submit(mine("a", source=bad))
    (listed,) = office.here.list()
    assert (listed.state, listed.job) == ("refused", None)
    assert type(listed.error) is type(caught.value)
    assert listed.error.to_json() == caught.value.to_json()
    assert desks.rows_in(office.service) == 0
    assert desks.litter(office.service) == []
    assert desks.row_of(office, listed.id).body is None


def test_a_refusal_is_told_again_to_the_same_request_and_then_given_up(office, mine, bad):
    for _ in range(2):
        with pytest.raises(PodtuneError):
            office.here.submit(mine("a", source=bad))
    assert len(office.here.list()) == 1
    homes.data(bad.parent, 12, "bad.jsonl")
    with office.service.store().transaction() as connection:
        connection.execute(update(table).values(settled_at=table.c.settled_at - 61_000_000))
    again = office.here.submit(mine("a", source=bad))
    assert again.state == "accepted"
    assert len(office.here.list()) == 2


def test_another_body_may_follow_a_refusal_at_once(office, mine, bad):
    with pytest.raises(PodtuneError):
        office.here.submit(mine("a", source=bad))
    assert office.here.submit(mine("a")).state == "accepted"


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "x" * 201}, {"name": ""}, {"digest": "x"}, {"kind": "cli"}, {"kind": "Ä"},
        {"note": {"long": "x" * 66_000}},
    ],
)  # fmt: skip
def test_what_is_out_of_bounds_is_no_submission(office, mine, changes):
    with pytest.raises(SpecError):
        office.here.submit(mine("a")._replace(**changes))
    assert office.here.list() == []


def test_without_a_ceiling_nothing_is_fetched_or_written(
    remote_office, mine, rows_address, rows_server
):
    with pytest.raises(ForbiddenError) as caught:
        remote_office.here.submit(mine("a", source=rows_address, where__max_usd=1, **desks.RENTED))
    assert caught.value.code == "ceiling_needed"
    assert "PODTUNE_MAX_USD_PER_JOB" in caught.value.hint
    assert (rows_server.requests, remote_office.here.list()) == ([], [])


def test_concurrent_submits_cannot_overdraw_a_budget(shared_office, mine):
    desk = shared_office.desk(desks.key_of(shared_office, "10"))
    shared_office.submissions.preparing._closing.set()
    asked = [mine(f"n{n}", where__max_usd=3, **desks.RENTED) for n in range(16)]
    found = at_once(lambda one: desk.submit(one, wait_s=0), asked)
    refused = [one for one in found if isinstance(one, ForbiddenError)]
    taken = [one for one in found if not isinstance(one, Exception)]
    assert (len(taken), len(refused)) == (3, 13)
    assert {one.code for one in refused} == {"key_budget"}
    assert sum(one.ceiling_usd for one in taken) == 9
    rest = desk.submit(mine("rest", **desks.RENTED), wait_s=0)
    assert rest.ceiling_usd == 1
    desk.cancel(taken[0].id)
    assert desk.submit(mine("again", where__max_usd=3, **desks.RENTED), wait_s=0).ceiling_usd == 3


def test_two_keys_have_each_its_own_budget(shared_office, mine):
    shared_office.submissions.preparing._closing.set()
    both = [shared_office.desk(desks.key_of(shared_office, "4", name)) for name in ("k1", "k2")]
    asked = [
        (desk, mine(f"n{n}", where__max_usd=2, **desks.RENTED)) for n in range(6) for desk in both
    ]
    # Both callers are of no tenant: their names are one space.
    asked = [
        (d, one._replace(kind=d.principal.key_id.replace("1", "a").replace("2", "b")))
        for d, one in asked
    ]
    found = at_once(lambda pair: pair[0].submit(pair[1], wait_s=0), asked)
    assert sum(not isinstance(one, Exception) for one in found) == 4


def test_who_asks_the_same_again_is_not_told_that_the_budget_is_taken_by_it(shared_office, mine):
    desk = shared_office.desk(desks.key_of(shared_office, "3"))
    shared_office.submissions.preparing._closing.set()
    request = mine("the same", where__max_usd=3, **desks.RENTED)
    found = at_once(lambda asked: desk.submit(asked, wait_s=0), [request] * 48)
    assert [one for one in found if isinstance(one, Exception)] == []
    assert len({one.id for one in found}) == 1
    with pytest.raises(ForbiddenError):
        desk.submit(mine("another", where__max_usd=3, **desks.RENTED), wait_s=0)
