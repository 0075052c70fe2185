"""What is reserved becomes a job: once, whoever cancels it or dies on the way."""

import os
import threading
from datetime import timedelta

import pytest
from sqlalchemy import text

from podtune.app import planner, sources
from podtune.core.errors import (
    ConflictError,
    PodtuneError,
    RequestError,
    StateError,
)
from podtune.workflow import submissions as rows
from podtune.workflow.columns import micros
from support import desks, waiting
from support.at_once import at_once
from support.odd_server import response


def stored_anywhere(home, secret):
    return [p for p in home.rglob("*") if p.is_file() and secret.encode() in p.read_bytes()]


def test_data_is_fetched_once_and_its_signature_is_kept_nowhere(
    remote_office, mine, rows_address, rows_server
):
    found = remote_office.here.submit(mine("a", source=rows_address))
    assert (found.state, len(rows_server.requests)) == ("accepted", 1)
    assert desks.row_of(remote_office, found.id).body is None
    remote_office.close()
    with remote_office.service.store().transaction() as connection:
        left = connection.execute(text("SELECT count(*) FROM submissions WHERE body IS NOT NULL"))
        assert left.scalar_one() == 0
    # What a row held until then may stay in pages of the file that are free now: only those are looked past.
    assert desks.litter(remote_office.service) == []
    assert not stored_anywhere(remote_office.service.settings.jobs, desks.SECRET)


@pytest.mark.parametrize("status", [400, 403])
def test_an_expired_address_is_said_to_be_one(
    remote_office, mine, rows_address, rows_server, status
):
    rows_server.answers["/rows.jsonl"] = response(status, b"{}")
    with pytest.raises(RequestError) as caught:
        remote_office.here.submit(mine("a", source=rows_address))
    assert caught.value.code == "url_expired"
    assert desks.SECRET not in str(caught.value.to_json())
    rows_server.answers["/rows.jsonl"] = response(
        200, desks.uploaded(remote_office.service).read_bytes()
    )
    fresh = rows_address.replace(desks.SECRET, "NEWSIGNATURE")
    assert remote_office.here.submit(mine("a", source=fresh)).state == "accepted"


def test_two_at_once_from_one_path_do_not_disturb_each_other(remote_office, mine, rows_address):
    found = at_once(
        lambda name: remote_office.here.submit(mine(name, source=rows_address)), list("abcd")
    )
    assert [one.state for one in found] == ["accepted"] * 4
    assert desks.litter(remote_office.service) == []


def test_what_is_cancelled_while_it_is_prepared_never_begins(
    remote_office, mine, rows_address, stuck
):
    let, begun = stuck
    found = remote_office.here.submit(mine("a", source=rows_address), wait_s=0)
    assert begun.wait(20)
    assert found.state == "preparing"
    assert remote_office.here.cancel(found.id).error.code == "cancelled"
    let.set()
    with pytest.raises(ConflictError):
        remote_office.here.cancel(found.id)
    assert desks.rows_in(remote_office.service) == 0
    assert desks.row_of(remote_office, found.id).body is None


def test_what_was_not_known_to_be_cancelled_here_is_no_job_either(
    remote_office, mine, rows_address, stuck
):
    let, begun = stuck
    other = remote_office.again()
    found = remote_office.here.submit(mine("a", source=rows_address), wait_s=0)
    assert begun.wait(20)
    other.here.cancel(found.id)
    done = remote_office.submissions.preparing._done[found.id]
    let.set()
    assert done.wait(30)
    assert remote_office.here.get(found.id).error.code == "cancelled"
    assert desks.rows_in(remote_office.service) == 0
    assert not (remote_office.service.settings.jobs / found.id).exists()
    other.service.close()


def test_what_a_dead_gateway_prepared_is_taken_over(shared_office, mine):
    dead = shared_office
    dead.submissions.preparing._closing.set()  # it takes rows and never comes to prepare them
    found = dead.here.submit(mine("a"), wait_s=0)
    other = dead.again()
    assert other.submissions.recover() == 0
    desks.abandon(dead)
    assert other.submissions.recover() == 1
    assert other.submissions.recover() == 0
    settled = desks.settled(other.here, found.id)
    assert (settled.state, settled.job.id) == ("accepted", found.id)
    other.close()
    other.service.close()


def test_closing_frees_what_waits(office, mine):
    office.submissions.preparing._closing.set()
    found = office.here.submit(mine("a"), wait_s=0)
    office.submissions.close()
    other = office.again()
    assert other.submissions.recover() == 1
    assert desks.settled(other.here, found.id).state == "accepted"
    other.close()
    other.service.close()


def test_one_that_comes_back_finds_its_row_taken_and_makes_no_second_job(
    remote_office, mine, rows_address, stuck
):
    let, begun = stuck
    found = remote_office.here.submit(mine("a", source=rows_address), wait_s=0)
    assert begun.wait(20)
    done = remote_office.submissions.preparing._done[found.id]
    desks.abandon(remote_office)
    let.set()
    assert done.wait(30)
    assert remote_office.here.get(found.id).state == "preparing"
    assert desks.rows_in(remote_office.service) == 0
    other = remote_office.again()
    assert other.submissions.recover() == 1
    assert desks.settled(other.here, found.id).state == "accepted"
    assert desks.rows_in(remote_office.service) == 1
    other.close()
    other.service.close()


def test_what_was_fetched_before_the_death_needs_no_address_any_more(
    remote_office, mine, rows_address, rows_server
):
    remote_office.submissions.preparing._closing.set()
    found = remote_office.here.submit(mine("a", source=rows_address), wait_s=0)
    settings = remote_office.service.settings
    own = settings.with_downloads(settings.home / "downloads" / f"for-{found.id}")
    sources.kept(rows_address, own, fresh=True)  # so far the dead one came
    rows_server.answers.clear()  # it has expired by now
    desks.abandon(remote_office)
    other = remote_office.again()
    other.submissions.recover()
    assert desks.settled(other.here, found.id).state == "accepted"
    waiting.until(lambda: not desks.litter(remote_office.service))
    other.close()
    other.service.close()


def test_an_unexpected_failure_is_told_without_its_words(office, mine, monkeypatch, caplog):
    def broken(request, settings):
        raise ValueError(desks.SECRET)

    monkeypatch.setattr(planner, "make_plan", broken)
    with pytest.raises(PodtuneError) as caught:
        office.here.submit(mine("a"))
    assert caught.value.code == "internal_error"
    assert desks.SECRET not in str(caught.value.to_json()) + caplog.text


def test_a_sign_of_life_keeps_what_is_claimed(office, mine):
    office.submissions.preparing._closing.set()
    found = office.here.submit(mine("a"), wait_s=0)
    before = desks.row_of(office, found.id).held_until
    store = office.service.store()
    real = store.clock
    store.keep_time(lambda: real() + timedelta(seconds=50))
    with store.transaction() as connection:
        rows.renew(connection, [found.id], office.submissions._holder, 60, micros(store.clock()))
    assert desks.row_of(office, found.id).held_until > before + 40_000_000


def test_closing_ends_a_download_and_lets_go_of_its_row(remote_office, mine, rows_address, stuck):
    let, begun = stuck
    found = remote_office.here.submit(mine("a", source=rows_address), wait_s=0)
    assert begun.wait(20)
    closing = threading.Thread(target=remote_office.close)
    closing.start()
    let.set()
    closing.join(20)
    other = remote_office.again()
    assert other.submissions.recover() == 1
    assert desks.settled(other.here, found.id).state == "accepted"
    other.close()
    other.service.close()


def test_a_store_that_cannot_be_used_leaves_the_row_to_others(office, mine, monkeypatch, caplog):
    def busy(request, settings):
        raise StateError("busy", code="state_unavailable")

    with monkeypatch.context() as patched:
        patched.setattr(planner, "make_plan", busy)
        found = office.here.submit(mine("a"), wait_s=20)
    assert found.state == "preparing"
    assert "busy" in caplog.text
    desks.abandon(office)
    assert office.submissions.recover() == 1
    assert desks.settled(office.here, found.id).state == "accepted"


def test_what_the_dead_left_is_swept_and_nothing_else(office, mine, settings):
    office.submissions.preparing._closing.set()
    going = office.here.submit(mine("a"), wait_s=0)
    jobs, downloads = settings.home / "jobs", settings.home / "downloads"
    kept = [
        jobs / f".{going.id}.abc", downloads / f"for-{going.id}", downloads / "plan-now", downloads / "0123ab",
        jobs / "some-job",
    ]  # fmt: skip
    gone = [jobs / ".dead-job.abc", downloads / "for-dead-job", downloads / "plan-old"]
    for folder in (*kept, *gone):
        folder.mkdir(parents=True)
        (folder / "rows.jsonl").touch()
    day_ago = office.service.store().clock().timestamp() - 90_000
    os.utime(downloads / "plan-old", (day_ago, day_ago))
    office.submissions.recover()
    assert [folder.is_dir() for folder in kept] == [True] * 5
    assert [folder.exists() for folder in gone] == [False] * 3


def test_a_row_is_prepared_once_however_often_it_is_taken(office, mine, monkeypatch):
    planned = []
    real = planner.make_plan
    monkeypatch.setattr(planner, "make_plan", lambda *given: (planned.append(1), real(*given))[1])
    found = office.here.submit(mine("a"), wait_s=0)
    for _ in range(5):
        office.submissions.preparing.take(found.id)
    desks.settled(office.here, found.id)
    assert planned == [1]
