"""Rounds over an account: what is written, when they are made, and who makes them."""

from datetime import timedelta

import pytest

from podtune.core.errors import StateError
from podtune.core.states import JobPhase
from podtune.workflow.fates import Fate
from podtune.workflow.reaper import Sweep, lease_name
from support.reaping import LIMITS, ME, World, name


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


def sweep(world):
    return Sweep(world.store, world.provider(), ME, world.clock.now, LIMITS)


def test_a_wanted_machine_is_left_alone(world):
    world.remember(instance_id=world.order(name()))
    world.lasts(600)
    assert world.live() == {name()}
    assert world.strays() == []
    assert not world.reaper.is_busy()


def test_an_order_without_an_id_yet_wants_its_machine(world):
    world.remember(phase=JobPhase.PROVISIONING)
    world.order(name())
    world.lasts(300)
    assert world.live() == {name()}


def test_a_machine_of_a_job_that_is_over_is_ended_and_proved(world):
    world.remember(phase=JobPhase.DONE)
    world.clock.advance(LIMITS.settle_s)
    pod = world.order(name())
    assert world.reaper.is_busy(), "nobody looked yet"
    world.lasts(4)
    assert world.live() == set()
    (stray,) = world.strays()
    assert (stray.id, stray.job, stray.reason) == (pod, "job1", "its job is over")
    assert stray.usd_per_hour
    assert world.reaper.is_busy(), "dead is not proved"
    world.lasts(120)
    assert world.strays() == []
    assert "absent from" in world.stray(pod).proof
    assert not world.reaper.is_busy()
    told = [entry.message for entry in world.store.log("job1")]
    assert sum("reaper: " in text for text in told) == 2


def test_the_row_is_written_before_the_end_is_asked_for(world):
    world.remember(phase=JobPhase.DONE)
    world.clock.advance(100)
    pod = world.order(name())
    verdicts = sweep(world).look()
    assert [verdict.fate for verdict in verdicts.values()] == [Fate.END]
    assert world.stray(pod).asked_at is not None
    assert world.live() == {name()}, "nothing was ended yet"


def test_looking_can_leave_no_trace(world):
    world.order(name("nobody"))
    verdicts = sweep(world).look(keeps=False)
    assert [verdict.fate for verdict in verdicts.values()] == [Fate.SHOW]
    assert world.strays() == []


def test_one_that_is_wanted_after_all_is_forgotten(world):
    pod = world.order(name())
    world.lasts(10)
    assert [stray.id for stray in world.strays()] == [pod]
    world.remember(instance_id=pod)
    world.lasts(100)
    assert world.strays() == []
    assert world.live() == {name()}


def test_one_shown_that_went_by_itself_has_to_be_proved_gone(world):
    pod = world.order(name())
    world.lasts(10)
    world.client().delete(f"/pods/{pod}")
    world.lasts(LIMITS.reap_grace_s)
    assert [stray.id for stray in world.strays()] == [pod]
    world.lasts(200)
    assert "answered 404" in world.stray(pod).proof


def test_a_machine_that_somebody_renamed_is_left_to_them(world):
    pod = world.order(name())
    world.lasts(10)
    (there,) = world.cloud.account.live_pods()
    there.name = "my-own-pod"
    world.lasts(LIMITS.reap_grace_s + 200)
    assert world.live() == {"my-own-pod"}
    assert "it is left running" in world.stray(pod).proof


def test_rounds_are_made_at_start_and_then_now_and_then(world):
    asked = []
    real = world.reaper._sweep.look
    world.reaper._sweep.look = lambda: (asked.append(world.clock.now()), real())[1]
    world.lasts(181, step_s=1.0)
    assert len(asked) == 4


def test_a_home_that_never_rented_asks_nobody(world):
    reaper = world.another(is_wanted=lambda: False)
    world.lasts(200, reaper)
    assert world.answers == []
    assert not reaper.is_busy()


def test_one_process_at_a_time_makes_the_rounds(world):
    other = world.another(ME._replace(holder="other"))
    world.reaper.due()
    other.due()
    assert world.answers == [True]
    world.clock.advance(61)
    other.due()
    other.due()
    assert world.answers == [True, True], "who comes first after the lease takes it"
    assert lease_name("acc", "owner123") == "reaper acc owner123"


def test_installations_that_share_a_store_do_not_wait_for_each_other(world):
    other = world.another(ME._replace(holder="other", owner="else"))
    world.reaper.due()
    other.due()
    assert world.answers == [True, True]


def test_strays_of_another_account_are_not_this_one_s(world):
    world.order(name("nobody"))
    world.lasts(10)
    elsewhere = world.another(ME._replace(holder="other", account="another"))
    world.cloud.close()
    world.lasts(120, elsewhere)
    assert not elsewhere.is_busy()
    assert len(world.strays()) == 1


def test_a_clock_that_is_set_back_stops_no_rounds(world):
    shift = [timedelta()]
    reaper = world.another(clock=lambda: world.clock.now() + shift[0])
    reaper.due()
    reaper.due()
    shift[0] = -timedelta(hours=1)
    world.clock.advance(61)
    reaper.due()
    reaper.due()
    assert world.answers == [True, True]


def test_a_store_that_fails_is_tried_again(world):
    real, broken = world.store.take_lease, [True]

    def fails(*given):
        if broken:
            broken.pop()
            raise StateError("the job store cannot be used")
        return real(*given)

    world.store.take_lease = fails
    world.lasts(70)
    assert world.answers == [True]
