"""One worker for each job."""

import asyncio
import json

import pytest

import serverless_claim
from serverless_claim import FRESH_S, Claim, Owner


class Time:
    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Time()


def claim(folder, worker="a", process="1", clock=None):
    return Claim(folder, worker, process, clock or Time())


def taken(one, until=2_000_000.0, is_over=lambda: False):
    return asyncio.run(one.take(until, is_over))


def test_attempts_count_up(tmp_path, clock):
    first = claim(tmp_path, clock=clock)
    assert taken(first)
    first.leave()
    second = claim(tmp_path, "b", clock=clock)
    assert taken(second)
    assert (first.attempt, second.attempt) == (1, 2)
    assert first.is_lost()
    assert not first.beat()
    assert second.beat()


def test_a_worker_that_lives_is_waited_for(tmp_path, clock, monkeypatch):
    monkeypatch.setattr(serverless_claim, "LOOK_S", 0.01)
    first, second = claim(tmp_path, clock=clock), claim(tmp_path, "b", clock=clock)
    assert taken(first)
    looks = []

    def is_over():
        looks.append(clock.now)
        clock.now += 10
        return False

    assert taken(second, is_over=is_over)
    assert clock.now - looks[0] >= FRESH_S
    assert second.attempt == 2


def test_what_was_finished_meanwhile_is_not_taken(tmp_path, clock):
    first, second = claim(tmp_path, clock=clock), claim(tmp_path, "b", clock=clock)
    assert taken(first)
    assert not taken(second, is_over=lambda: True)
    assert second.attempt == 0


def test_waiting_has_an_end(tmp_path, clock):
    assert taken(claim(tmp_path, clock=clock))
    assert not taken(claim(tmp_path, "b", clock=clock), until=clock.now)


def test_the_same_container_started_again_need_not_wait(tmp_path, clock):
    assert taken(claim(tmp_path, "a", "1", clock))
    again = claim(tmp_path, "a", "2", clock)
    assert taken(again)
    assert again.attempt == 2


def test_an_owner_that_cannot_be_read_holds_nothing(tmp_path, clock):
    (tmp_path / serverless_claim.OWNER).write_text("{", encoding="utf-8")
    assert taken(claim(tmp_path, clock=clock))


def test_the_greatest_attempt_that_was_called_wins(tmp_path, clock, monkeypatch):
    monkeypatch.setattr(serverless_claim, "LOOK_S", 0.01)
    first = Claim(tmp_path, "a", "1", clock)
    later = Claim(tmp_path, "b", "1", clock, asked_attempt=2)
    assert first.call()
    assert taken(first)
    assert first.beat()
    assert later.call()
    assert not first.beat()  # it is not lost yet, and so it lets go by itself
    assert not first.is_lost()
    first.leave()
    assert taken(later)
    again = Claim(tmp_path, "c", "1", clock)
    assert not again.call()
    assert not taken(again)


def test_who_waits_for_a_folder_hears_of_a_greater_attempt(tmp_path, clock):
    holder = claim(tmp_path, clock=clock)
    assert taken(holder)
    waiting = claim(tmp_path, "b", clock=clock)
    assert Claim(tmp_path, "c", "1", clock, asked_attempt=2).call()
    assert not taken(waiting)


def test_two_at_once_get_different_attempts(tmp_path, clock):
    claims = [claim(tmp_path, name, clock=clock) for name in "abcdef"]

    async def all_begin():
        return await asyncio.gather(*(asyncio.to_thread(c._begin) for c in claims))

    asyncio.run(all_begin())
    assert sorted(c.attempt for c in claims) == [1, 2, 3, 4, 5, 6]
    assert [c for c in claims if not c.is_lost()] == [max(claims, key=lambda c: c.attempt)]


def test_signs_of_life_end_where_another_took_over(tmp_path, clock):
    first, second = claim(tmp_path, clock=clock), claim(tmp_path, "b", clock=clock)
    assert taken(first)

    async def lives():
        lost = asyncio.Event()
        beats = asyncio.create_task(serverless_claim.keep_alive(first, lost, beat_s=0.01))
        await asyncio.sleep(0.05)
        assert not lost.is_set()
        await asyncio.to_thread(second._begin)
        await asyncio.wait_for(lost.wait(), 5)
        await beats

    asyncio.run(lives())
    told = Owner.model_validate(json.loads((tmp_path / "owner.json").read_text(encoding="utf-8")))
    assert (told.worker, told.attempt) == ("b", 2)


def test_a_clock_far_ahead_keeps_nobody_out_for_ever():
    owner = Owner(worker="a", process="1", attempt=1, beat_at=5000.0)
    assert owner.lives(4990.0, "b")
    assert not owner.lives(4000.0, "b")
