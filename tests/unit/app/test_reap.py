"""`podtune reap` as a verb: with a store, without one, for other installations, and what it never touches."""

from datetime import timedelta

import pytest

from podtune.app import reap as module
from podtune.app.reap import Wish
from podtune.app.settings import Settings
from podtune.core.errors import CredentialsError, SpecError, UnavailableError
from podtune.core.limits import SKEW_S
from podtune.core.states import JobPhase
from podtune.testing.clock import START
from podtune.testing.faults import FaultKind, FaultRule
from podtune.workflow.fates import Fate
from support.reaping import OWNER, World, name

LATE = START - timedelta(seconds=SKEW_S + 60)
SOON = START + timedelta(hours=1)


@pytest.fixture
def settings(tmp_path):
    made = Settings(home=tmp_path / "home")
    made.home.mkdir()
    return made


@pytest.fixture
def own(settings):
    """This home is the installation of the tests' names."""
    (settings.home / "owner").write_text(OWNER)


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


def reap(world, settings, *owners, tell=lambda machine: None, **wish):
    return module.reap(
        settings, Wish(owners, **wish), tell=tell, client=world.client(),
        clock=world.clock.now, pause=world.clock.advance,
    )  # fmt: skip


def fates_of(report):
    return {machine.name: machine.fate for machine in report.machines}


@pytest.fixture
def stored(settings, own, tmp_path):
    """A world whose store is the home's."""
    made = World(settings.home)
    yield made
    made.close()


def test_with_the_key_alone_what_is_overdue_ends_and_the_rest_is_listed(world, settings, own):
    late, soon = name("a", deadline=LATE), name("b", deadline=SOON)
    world.order(late)
    world.order(soon)
    report = reap(world, settings)
    assert world.live() == {soon}
    assert fates_of(report) == {late: Fate.END, soon: Fate.SHOW}
    ended = next(machine for machine in report.machines if machine.name == late)
    assert "answered 404" in ended.proof
    assert ended.usd_per_hour > 0
    assert [machine.name for machine in report.open] == [soon]
    assert not settings.database.exists()


def test_the_skew_of_two_clocks_is_waited_for(world, settings, own):
    world.order(name("a", deadline=START - timedelta(seconds=SKEW_S - 1)))
    assert fates_of(reap(world, settings)) == {name("a", deadline=START - timedelta(seconds=SKEW_S - 1)): Fate.SHOW}  # fmt: skip
    assert len(world.live()) == 1


def test_a_home_without_a_name_has_no_machines_and_gets_no_name(world, settings):
    world.order(name("a", deadline=LATE))
    report = reap(world, settings)
    assert (report.owner, report.machines, report.others) == (None, (), {OWNER: 1})
    assert list(settings.home.iterdir()) == []
    assert len(world.live()) == 1


def test_another_host_ends_what_is_overdue_of_the_owners_it_is_told(world, settings):
    theirs, other = (
        name("a", deadline=LATE, owner="theirs"),
        name("a", deadline=LATE, owner="other"),
    )
    in_time = name("b", deadline=SOON, owner="theirs")
    for called in (theirs, other, in_time, "pt-theirs", "pt-theirs-x1", "training"):
        world.order(called)
    report = reap(world, settings, "theirs")
    assert world.live() == {other, in_time, "pt-theirs", "pt-theirs-x1", "training"}
    assert fates_of(report) == {theirs: Fate.END, in_time: Fate.KEEP}
    assert (report.others, report.open) == ({"other": 1}, ())


def test_any_owner_means_every_name_of_podtune_s_form(world, settings):
    named = [name("a", deadline=LATE, owner=owner) for owner in ("one", "two")]
    foreign = ["pt-three-x1", "pt-x", "mine", "pt-four-job-1"]
    for called in (*named, *foreign):
        world.order(called)
    report = reap(world, settings, any_owner=True)
    assert world.live() == set(foreign)
    assert report.open == ()
    kept = next(one for one in report.machines if one.name == "pt-four-job-1")
    assert (kept.fate, kept.why) == (Fate.KEEP, "its name holds no deadline")


@pytest.mark.parametrize("owner", ["", "a-b", "UPPER", "pt-", "a" * 33, "*", "a b"])
def test_what_can_be_no_owner_is_refused_before_anything_is_asked(world, settings, owner):
    with pytest.raises(SpecError) as caught:
        reap(world, settings, owner)
    assert caught.value.code == "owner_unknown"
    assert "pt-OWNER" in caught.value.hint


def test_a_dry_run_changes_nothing(stored, settings):
    stored.remember("done", phase=JobPhase.DONE)
    stored.clock.advance(100)
    stored.order(name("done"))
    stored.order(name("nobody"))
    report = reap(stored, settings, is_dry=True)
    assert fates_of(report) == {name("done"): Fate.END, name("nobody"): Fate.SHOW}
    assert len(report.open) == 2
    assert len(stored.live()) == 2
    assert stored.strays() == []


def test_with_a_store_what_no_job_wants_ends_and_what_is_wanted_stays(stored, settings):
    stored.remember("done", phase=JobPhase.DONE)
    stored.clock.advance(100)
    stored.order(name("done"))
    stored.remember("busy", instance_id=stored.order(name("busy")))
    report = reap(stored, settings)
    assert fates_of(report) == {name("done"): Fate.END, name("busy"): Fate.KEEP}
    assert report.open == ()
    assert stored.live() == {name("busy")}
    assert stored.strays() == []


def test_what_the_store_does_not_know_is_shown_first_and_ended_by_a_later_run(stored, settings):
    stored.order(name("nobody"))
    first = reap(stored, settings)
    assert [machine.fate for machine in first.open] == [Fate.SHOW]
    assert len(stored.live()) == 1
    stored.clock.advance(settings.reap_grace_s)
    second = reap(stored, settings)
    assert second.open == ()
    assert stored.live() == set()


def test_once_asks_and_does_not_wait(stored, settings):
    stored.remember("done", phase=JobPhase.DONE)
    stored.clock.advance(100)
    stored.order(name("done"))
    before = stored.clock.now()
    report = reap(stored, settings, is_once=True)
    assert stored.live() == set()
    assert len(report.open) == 1, "dead is not proved"
    assert stored.clock.now() - before < timedelta(seconds=5)
    again = reap(stored, settings)
    assert again.machines[0].proof
    assert stored.strays() == []


def test_what_a_driver_proves_meanwhile_counts(stored, settings):
    stored.remember("done", phase=JobPhase.DONE)
    stored.clock.advance(100)
    stored.order(name("done"))

    def pause(seconds):
        stored.clock.advance(seconds)
        stored.reaper.work()

    report = module.reap(
        settings, Wish(), client=stored.client(), clock=stored.clock.now, pause=pause
    )
    assert report.open == ()


def test_progress_is_told_once_for_each_change(world, settings, own):
    world.order(name("a", deadline=LATE))
    told = []
    reap(world, settings, tell=told.append)
    assert [(machine.fate, bool(machine.proof)) for machine in told] == [(Fate.END, False), (Fate.END, True)]  # fmt: skip


def test_an_end_that_fails_is_told_and_tried_again(tmp_path, settings, own):
    world = World(tmp_path, FaultRule(kind=FaultKind.BEFORE_EFFECT, route="delete_pod", times=9))
    world.order(name("a", deadline=LATE))
    told = []
    report = reap(world, settings, tell=told.append)
    assert report.open == ()
    assert any("500" in (machine.problem or "") for machine in told)
    world.close()


def test_without_a_list_nothing_is_ended(tmp_path, settings, own):
    world = World(tmp_path, FaultRule(kind=FaultKind.BEFORE_EFFECT, route="list_pods", status=503))
    world.order(name("a", deadline=LATE))
    with pytest.raises(UnavailableError):
        reap(world, settings)
    assert len(world.live()) == 1
    world.close()


def test_without_a_key_it_says_so(settings, monkeypatch):
    monkeypatch.delenv("RUNPOD_API_KEY", raising=False)
    with pytest.raises(CredentialsError):
        module.reap(settings, Wish())
