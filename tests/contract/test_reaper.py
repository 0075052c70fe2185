"""The reaper against a stand-in cloud and stores that go wrong: what no job wants ends, nothing else does."""

import shutil
from datetime import timedelta

import pytest

from podtune.core.limits import SKEW_S
from podtune.core.states import JobPhase
from podtune.testing.faults import FaultKind, FaultRule
from podtune.workflow.reaper import Sweep
from podtune.workflow.store import JobStore
from support.reaping import DEADLINE, LIMITS, ME, World, name

FOREIGN = (
    "pt-owner1234-job1-1-x1", "pt-owner12-job1-1-x1", "pt-owner123", "pt-owner123-keep-this",
    "pt-owner123-x1", "pt-OWNER123-job1-1-x1", "training", "pt-else-job1-1-x1",
)  # fmt: skip


@pytest.fixture
def world_of(tmp_path):
    """Builds worlds, each closed at the end."""
    made = []

    def build(*faults, **options):
        made.append(World(tmp_path, *faults, **options))
        return made[-1]

    yield build
    for world in made:
        world.close()


def rule(kind, route, **more):
    return FaultRule(kind=kind, route=route, **more)


def left_over(world):
    """A machine of a job that is over, ordered long enough ago."""
    world.remember(phase=JobPhase.DONE)
    world.clock.advance(LIMITS.settle_s)
    return world.order(name())


def test_the_store_was_lost(world_of):
    world = world_of()
    pod = world.order(name("job1"))
    world.lasts(LIMITS.reap_grace_s - 10)
    assert world.live() == {name("job1")}, "shown, not ended"
    assert [stray.id for stray in world.strays()] == [pod]
    world.lasts(300)
    assert world.live() == set()
    assert world.stray(pod).absent_at is not None
    assert not world.reaper.is_busy()


def test_the_store_was_restored_from_yesterday_s_copy(world_of, tmp_path):
    """Fault 57: machines that were ordered since are unknown; what the copy wants is kept."""
    world = world_of()
    kept = world.order(name("job1"))
    world.remember("job1", instance_id=kept)
    world.store.close()
    shutil.copy(world.path, tmp_path / "copy")
    world.store = JobStore(world.path, clock=world.clock.now)
    lost = world.order(name("job2"))
    world.remember("job2", instance_id=lost)
    second = world.order(name("job1", attempt=2))
    world.store.close()
    shutil.copy(tmp_path / "copy", world.path)
    world.store = JobStore(world.path, clock=world.clock.now)
    reaper = world.another()
    world.lasts(LIMITS.reap_grace_s - 10, reaper)
    assert {stray.id for stray in world.strays()} == {lost, second}
    assert len(world.live()) == 3
    world.lasts(300, reaper)
    assert world.live() == {name("job1")}
    assert world.strays() == []


def test_two_reapers_at_once_end_it_once_and_both_know(world_of):
    world = world_of()
    pod = left_over(world)
    stateless = world.provider()
    ended = []
    for _ in range(100):
        world.reaper.due()
        ended.append(stateless.end_one(name(), pod))
        world.clock.advance(2)
        world.cloud.tick()
    assert any(ended)
    assert world.strays() == []
    assert world.live() == set()


def test_a_reaper_that_died_in_the_middle_is_followed_by_another(world_of):
    world = world_of()
    left_over(world)
    world.lasts(20)
    assert world.strays()
    heir = world.another(ME._replace(holder="heir"))
    world.lasts(30, heir)
    assert world.strays(), "the lease of the dead has to lapse first"
    assert heir.is_busy(), "and so long it stays"
    world.lasts(200, heir)
    assert world.strays() == []


@pytest.mark.parametrize("lag", [20, 55])
def test_lists_that_lag_prove_nothing_too_early(world_of, lag):
    world = world_of(removal_lag_s=lag, listing_lag_s=lag)
    pod = left_over(world)
    dead_at = None
    for _ in range(300):
        world.lasts(2)
        if dead_at is None and world.stray(pod) and not world.live():
            dead_at = world.clock.now()
    proof = world.stray(pod)
    assert proof.absent_at - dead_at >= timedelta(seconds=LIMITS.proof_window_s - 2)


def test_nothing_is_concluded_from_a_list_that_fails(world_of):
    world = world_of(rule(FaultKind.BEFORE_EFFECT, "list_pods", status=503, until_s=1000))
    pod = left_over(world)
    world.lasts(600)
    assert world.live() == {name()}
    assert set(world.answers) == {False}
    assert world.strays() == []
    world.lasts(900)
    assert world.live() == set()
    assert world.answers[-1] is True
    assert world.stray(pod).proof


@pytest.mark.parametrize("kind", [FaultKind.AFTER_EFFECT, FaultKind.RESET, FaultKind.WRONG_BODY])
def test_an_end_whose_answer_is_lost_is_proved_all_the_same(world_of, kind):
    world = world_of(rule(kind, "delete_pod"))
    pod = left_over(world)
    world.lasts(600)
    assert world.live() == set()
    assert world.stray(pod).proof


def test_an_end_that_is_refused_for_hours_is_asked_for_until_it_is_done(world_of):
    world = world_of(rule(FaultKind.BEFORE_EFFECT, "delete_pod", status=500, until_s=3 * 3600))
    pod = left_over(world)
    world.lasts(3 * 3600, step_s=10)
    assert world.live() == {name()}
    assert world.reaper.is_busy()
    asked = len(world.cloud.history)
    assert 30 < asked < 400, "again and again, at pauses that grow to five minutes"
    world.lasts(900, step_s=10)
    assert world.live() == set()
    assert world.stray(pod).proof


def test_an_end_that_is_answered_well_and_not_done_is_no_end(world_of):
    world = world_of(rule(FaultKind.NO_EFFECT, "delete_pod", times=5))
    pod = left_over(world)
    world.lasts(600)
    assert world.live() == set()
    assert world.stray(pod).proof


def test_a_machine_that_is_gone_when_its_end_is_asked_for(world_of):
    world = world_of()
    pod = left_over(world)
    Sweep(world.store, world.provider(), ME, world.clock.now, LIMITS).look()
    world.client().delete(f"/pods/{pod}")
    world.lasts(300)
    assert "answered 404" in world.stray(pod).proof


def test_a_machine_that_appears_after_its_job_ended(world_of):
    world = world_of()
    world.remember(phase=JobPhase.DONE)
    world.lasts(600)
    assert world.strays() == []
    pod = world.order(name())
    world.lasts(70)
    assert world.live() == set()
    world.lasts(150)
    assert world.stray(pod).reason == "its job is over"
    assert world.store.spent("job1")["job1"] > 0


def test_the_second_machine_of_one_order_goes_and_the_first_stays(world_of):
    world = world_of()
    world.remember(instance_id=world.order(name()))
    second = world.order(name())
    world.lasts(200)
    assert len(world.cloud.account.live_pods()) == 1
    assert second not in {pod.id for pod in world.cloud.account.live_pods()}
    assert world.strays() == []


def test_foreign_machines_are_never_touched(world_of):
    world = world_of()
    for called in FOREIGN:
        world.order(called)
    world.lasts(3600, step_s=20)
    assert world.live() == set(FOREIGN)
    assert world.strays() == []


def test_a_wanted_machine_that_outlives_its_deadline_is_ended(world_of):
    """Its watchdog is dead and its driver hangs: the reaper is the last of the killers."""
    world = world_of()
    world.remember(instance_id=world.order(name()))
    world.clock.advance((DEADLINE - world.clock.now()).total_seconds() + SKEW_S - 10)
    world.lasts(8)
    assert world.live() == {name()}
    world.lasts(80)
    assert world.live() == set()
    assert world.strays()[0].reason.startswith("its deadline passed")


@pytest.mark.parametrize("hours", [24, -1])
def test_a_clock_that_jumps_ends_nothing_that_is_wanted_where_the_provider_tells_the_time(world_of, hours):  # fmt: skip
    world = world_of()
    world.remember(instance_id=world.order(name()))
    shifted = world.another(clock=lambda: world.clock.now() + timedelta(hours=hours))
    world.lasts(400, shifted)
    assert world.live() == {name()}


def test_a_host_that_shares_the_store_ends_what_another_left_overdue_and_nothing_else_of_it(
    world_of,
):
    world = world_of()
    world.remember("job1", instance_id=world.order(name("job1")))
    unknown = name("nobody", deadline=DEADLINE + timedelta(days=9))
    world.order(unknown)
    world.reaper.work()
    assert [stray.name for stray in world.strays()] == [unknown]
    elsewhere = world.another(ME._replace(holder="elsewhere", owner="two", host="there"))
    world.lasts(600, elsewhere)
    assert len(world.live()) == 2
    assert [stray.asked_at for stray in world.strays()] == [None], "it is its own reaper's to judge"
    world.clock.advance((DEADLINE - world.clock.now()).total_seconds() + SKEW_S)
    world.lasts(200, elsewhere)
    assert world.live() == {unknown}
    assert not elsewhere.is_busy()


def test_a_key_that_was_changed_strands_no_job(world_of):
    """The new key's list shows the machine under the job's own name, so it is the same account."""
    world = world_of()
    pod = world.order(name())
    world.remember(instance_id=pod)
    new = ME._replace(holder="new", account="new-key")
    reaper = world.another(new)
    world.lasts(2 * LIMITS.reap_every_s, reaper)
    assert world.store.get("job1").account == "acc", "its driver still lives"
    world.store.leave(ME.holder)
    world.lasts(2 * LIMITS.reap_every_s, reaper)
    assert world.store.get("job1").account == "new-key"
    world.store.hold(new, 20)
    assert world.store.claim(new) == 1
    assert world.live() == {name()}
    assert world.strays() == []
