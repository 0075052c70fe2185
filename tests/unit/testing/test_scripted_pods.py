"""Played pods under the whole cloud: they end themselves, and nothing is trained twice."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.core.handover import PORT
from podtune.testing.clock import START, VirtualClock
from podtune.testing.executor import ContainerSpec
from podtune.testing.http import Request
from podtune.testing.options import PodKeyRules
from podtune.testing.scripted_pods import ScriptedPods
from podtune.testing.scripts import Misfortune, Script
from support.played_pod import Played, bundle


def lived_s(played, most_s=8000, each=10.0):
    """How long the pod was there."""
    for _ in range(int(most_s / each)):
        if played.status in (None, "TERMINATED"):
            return (played.clock.now() - START).total_seconds()
        played.pass_s(each, each)
    return None


@pytest.fixture
def play():
    running = []

    def made(*args, **more):
        played = Played(*args, **more)
        running.append(played)
        played.pass_s(6)
        return played

    yield made
    for played in running:
        played.close()


def test_nobody_came(play):
    played = play(Script(), figures={"BOOT_LIMIT_S": 300})
    assert lived_s(played) == pytest.approx(300, abs=12)


def test_the_deadline_ends_it_with_room_for_the_clocks(play, tmp_path):
    played = play(Script(step_s=1000), figures={"DEADLINE": START.timestamp() + 1000})
    played.hand_over(tmp_path)
    assert lived_s(played) == pytest.approx(1000 + 120, abs=12)


def test_the_budget_ends_it(play, tmp_path):
    figures = {"MAX_USD": "0.05", "USD_PER_HOUR": "0.5", "UPLOAD_RESERVE_S": 60}
    played = play(Script(step_s=1000), figures=figures)
    played.hand_over(tmp_path)
    assert lived_s(played) == pytest.approx(360, abs=12)


def test_before_the_end_the_worker_saves(play, tmp_path):
    figures = {"MAX_USD": "0.05", "USD_PER_HOUR": "0.5", "UPLOAD_RESERVE_S": 60}
    played = play(Script(steps=1000, save_every=999), figures=figures)
    played.hand_over(tmp_path)
    played.pass_s(320)
    assert played.port.status().phase == "failed"
    assert "interrupted" in played.port.status().detail
    assert len(played.port.checkpoints()) == 1


def test_silence_ends_it(play, tmp_path):
    script = Script(misfortune=Misfortune.SILENCE, at_step=2)
    played = play(script, figures={"SILENCE_LIMIT_S": 100})
    played.hand_over(tmp_path)
    assert lived_s(played) == pytest.approx(6 + 36 + 200, abs=15)


def test_a_failure_is_held_for_a_while(play, tmp_path):
    played = play(Script(misfortune=Misfortune.NAN_LOSS))
    played.hand_over(tmp_path)
    assert lived_s(played) == pytest.approx(6 + 38 + 600, abs=15)


@pytest.mark.parametrize("rules", [PodKeyRules(rest=True), PodKeyRules(rest=False, graphql=True)])
def test_one_way_or_the_other_its_own_key_ends_it(play, rules):
    assert lived_s(play(Script(), figures={"BOOT_LIMIT_S": 60}, pod_key=rules)) is not None


def test_without_a_way_it_stays(play):
    rules = PodKeyRules(rest=False, graphql=False)
    assert lived_s(play(Script(), figures={"BOOT_LIMIT_S": 60}, pod_key=rules), 1000) is None


def test_a_dead_watchdog_ends_nothing(play):
    script = Script(misfortune=Misfortune.WATCHDOG_DEAD)
    assert lived_s(play(script, figures={"BOOT_LIMIT_S": 60}), 1000) is None


def test_a_restarted_container_does_not_train_again(play, tmp_path):
    played = play(Script(misfortune=Misfortune.LOST, at_step=3))
    played.hand_over(tmp_path)
    played.pass_s(60)
    assert played.port.status().phase == "failed"
    assert b'"step":3' not in played.port.events(0).block
    assert any(line.what == "restarted" for line in played.cloud.happenings())


def test_without_a_volume_a_restart_forgets(play, tmp_path):
    played = play(Script(misfortune=Misfortune.LOST, at_step=3), mount=False)
    played.hand_over(tmp_path)
    played.pass_s(60)
    assert played.port.status().phase == "waiting"


def test_events_reach_the_log_stream(play, tmp_path):
    played = play(Script())
    played.hand_over(tmp_path)
    played.pass_s(70)
    with played.http.stream(
        "GET", f"/v2/pods/{played.id}/logs?source=container&tail=1000"
    ) as answer:
        text = next(answer.iter_text())
    assert "@podtune+" in text


def test_a_pod_that_is_no_job_idles(play):
    clock = VirtualClock()
    pods = ScriptedPods(clock)
    pods.start(_spec("p1", {}))
    assert pods.poll("p1") is None
    assert pods.request("p1", PORT, Request.of("GET", "/status")).status == 502
    assert pods.request("p2", PORT, Request.of("GET", "/status")).status == 404
    assert pods.next_event() is None
    assert list(pods.lines("p1")) == []
    pods.stop("p1", 0)
    pods.remove("p1")
    assert pods.poll("p1") is None


def _spec(pod_id, env):
    return ContainerSpec(pod_id, "runpod/x", "", env, (f"{PORT}/http",), 5, None, "NVIDIA A40", 1)


def test_scripts_may_differ_by_pod(tmp_path):
    def choose(pod):
        return Script(listen_s=100 if pod.name.endswith("-2") else 0)

    first, second = Played(choose), Played(choose, attempt=2)
    for played in (first, second):
        played.pass_s(1)
    assert first.port.status().attempt == 1
    assert second.http.get(f"/proxy/{second.id}-{PORT}/health").status_code == 502
    first.close()
    second.close()


def test_the_load_is_that_of_a_training(play, tmp_path):
    played = play(Script())
    assert played.pods.usage(played.id).gpu == 0
    played.hand_over(tmp_path)
    played.pass_s(40)
    assert played.pods.usage(played.id).gpu > 90


@settings(max_examples=25, deadline=None)
@given(
    misfortune=st.sampled_from([None, *Misfortune]),
    at_step=st.integers(1, 12),
    stride=st.sampled_from([0.7, 5.0, 60.0]),
)
def test_a_clock_that_leaps_from_event_to_event_sees_the_same(
    tmp_path_factory, misfortune, at_step, stride
):
    """The same events, however time passes; and next_event never lies before a due step."""
    script = Script(misfortune=misfortune, at_step=at_step)
    told = []
    for leaps in (True, False):
        played = Played(script, figures={"DEADLINE": START.timestamp() + 900})
        played.pass_s(6)
        if misfortune is not Misfortune.NEVER_LISTENS:
            played.hand_over(tmp_path_factory.mktemp("b"), bundle(steps=8))
        for _ in range(40 if leaps else int(300 / stride)):
            due = played.pods.next_event()
            if leaps and due and due - played.clock.now() < timedelta(seconds=290):
                played.clock.advance(max(0.0, (due - played.clock.now()).total_seconds()))
                played.cloud.tick()
            elif not leaps:
                played.pass_s(stride, stride)
        disks = played.pods._disks.values()
        told.append([disk.events for disk in disks])
        played.close()
    if misfortune is not Misfortune.LOST:
        assert told[0] == told[1]
