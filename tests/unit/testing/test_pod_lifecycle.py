from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from podtune.testing.faults import FaultKind, FaultRule
from podtune.testing.pod_lifecycle import ACTIONS
from support.stand_in import Desk, frames, order


def status_of(desk, pod_id):
    return desk.pod(pod_id)["status"]


def test_a_pod_goes_its_way():
    desk = Desk(provisioning_s=5, pull_s=60)
    pod_id = desk.create()
    seen = []
    for _ in range(8):
        seen.append(status_of(desk, pod_id))
        desk.clock.advance(10)
    assert seen == ["PROVISIONING"] + ["STARTING"] * 6 + ["RUNNING"]
    assert desk.pods.started[0].pod_id == pod_id


def test_running_may_be_told_while_the_image_is_pulled():
    desk = Desk(pull_s=60, is_running_while_pulling=True)
    pod_id = desk.create()
    desk.clock.advance(30)
    pod = desk.pod(pod_id)
    assert (pod["status"], pod["runtime"]) == ("RUNNING", None)
    desk.clock.advance(40)
    assert desk.pod(pod_id)["runtime"]["uptime"] == 9


def test_what_the_container_is_given():
    desk = Desk(base_url="http://127.0.0.1:1")
    pod_id = desk.running()
    pod = desk.pods.started[0]
    assert pod.mount == ("/workspace", pod_id, False)
    assert pod.env["PODTUNE_JOB"] == "job"
    assert pod.env["RUNPOD_POD_ID"] == pod_id
    assert pod.env["RUNPOD_API_KEY"] == desk.cloud.account.pods[pod_id].key
    assert pod.env["RUNPOD_REST_BASE_URL"] == "http://127.0.0.1:1/v2"
    assert pod.env["RUNPOD_API_BASE_URL"] == "http://127.0.0.1:1/graphql"
    assert pod.env["RUNPOD_GPU_COUNT"] == "1"
    assert "RUNPOD_API_KEY" not in desk.pod(pod_id)["env"]


def test_a_network_volume_and_ssh_keys_reach_the_container():
    desk = Desk()
    desk.ask("PUT", "/v2/account/ssh-keys", {"keys": ["ssh-ed25519 A", "ssh-ed25519 B"]})
    body = {"name": "v", "size": 50, "dataCenter": "US-KS-2"}
    volume = desk.ask("POST", "/v2/network-volumes", body).json()["id"]
    desk.running(mounts={"network": [{"volumeId": volume, "path": "/w"}]}, startSsh=True)
    pod = desk.pods.started[0]
    assert pod.mount == ("/w", volume, True)
    assert pod.env["RUNPOD_VOLUME_ID"] == volume
    assert pod.env["PUBLIC_KEY"] == "ssh-ed25519 A\nssh-ed25519 B"


def test_a_command_that_ends_is_started_again_and_billed_on():
    desk = Desk()
    pod_id = desk.running()
    desk.clock.advance(600)
    desk.pods.codes[pod_id] = 0
    assert desk.pod(pod_id)["runtime"] is None
    desk.clock.advance(2)
    pod = desk.pod(pod_id)
    assert (pod["status"], pod["runtime"]["uptime"]) == ("RUNNING", 1)
    assert pod["cost"] == 0.4
    assert len(desk.pods.started) == 2
    lines = [data["line"] for _, data in frames(desk.ask("GET", f"/v2/pods/{pod_id}/logs"))]
    assert sum("start container" in line for line in lines) == 2
    before = desk.cloud.meter.total(pod_id)
    desk.clock.advance(3600)
    desk.cloud.tick()
    assert desk.cloud.meter.total(pod_id) - before > 0


@pytest.mark.parametrize("status", list(ACTIONS))
@pytest.mark.parametrize("action", ["start", "stop", "restart", "terminate"])
def test_the_table_of_actions(status, action):
    desk = Desk(provisioning_s=5, pull_s=5, removal_lag_s=60)
    rules = [FaultRule(kind=FaultKind.WRONG_CUDA_HOST)] if status == "ERROR" else []
    desk.cloud.faults.replace(tuple(rules))
    pod_id = desk.create()
    desk.clock.advance({"PROVISIONING": 1, "STARTING": 6}.get(status, 20))
    if status == "EXITED":
        desk.act(pod_id, "stop")
    if status == "TERMINATED":
        desk.act(pod_id, "terminate")
        assert desk.act(pod_id, action).status == 404
        return
    pod = desk.pod(pod_id)
    assert (pod["status"], pod["actions"]) == (status, list(ACTIONS[status]))
    response = desk.act(pod_id, action)
    if action not in ACTIONS[status]:
        assert response.status == 409
    elif action == "terminate":
        assert response.status == 204
    else:
        after = {"start": "STARTING", "stop": "EXITED", "restart": "RUNNING"}[action]
        assert (response.status, response.json()["status"]) == (200, after)


def test_a_stopped_pod_starts_again():
    desk = Desk()
    pod_id = desk.running()
    desk.act(pod_id, "stop")
    assert desk.pods.stopped == [(pod_id, 5.0)]
    assert desk.pods.removed == []
    desk.act(pod_id, "start")
    desk.clock.advance(3)
    assert desk.pod(pod_id)["runtime"]["uptime"] == 2
    desk.act(pod_id, "restart")
    assert desk.pod(pod_id)["runtime"] is None
    desk.clock.advance(3)
    assert desk.pod(pod_id)["runtime"]["uptime"] == 2


def test_an_image_that_cannot_be_pulled_sticks_and_costs():
    desk = Desk()
    desk.pods.problems["nowhere/none"] = "image not found"
    pod_id = desk.running(image="nowhere/none")
    desk.clock.advance(3600)
    assert desk.pod(pod_id)["status"] == "STARTING"
    lines = [data["line"] for _, data in frames(desk.ask("GET", f"/v2/pods/{pod_id}/logs"))]
    assert "error pulling image: image not found" in lines
    assert desk.cloud.account.spent_usd > 0


@pytest.mark.parametrize(
    ("kind", "status", "started"),
    [
        (FaultKind.STUCK_INITIALISING, "STARTING", 0),
        (FaultKind.CRASH_LOOP, "RUNNING", 0),
        (FaultKind.WRONG_CUDA_HOST, "ERROR", 0),
        (FaultKind.EVICTION, "EXITED", 1),
    ],
)
def test_fates(kind, status, started):
    desk = Desk(faults=[FaultRule(kind=kind, pod="pt-*", seconds=60)])
    lucky, pod_id = desk.create(name="other"), desk.create()
    desk.clock.advance(600)
    pod = desk.pod(pod_id)
    assert (pod["status"], pod["runtime"]) == (status, None)
    assert len([spec for spec in desk.pods.started if spec.pod_id == pod_id]) == started
    assert desk.pod(lucky)["status"] == "RUNNING"
    assert [drawn.kind for drawn in desk.cloud.history] == [kind]


def test_a_crash_loop_shows_in_the_system_log_only():
    desk = Desk(faults=[FaultRule(kind=FaultKind.CRASH_LOOP)])
    pod_id = desk.running()
    desk.clock.advance(5)
    url = f"/v2/pods/{pod_id}/logs"
    lines = [data["line"] for _, data in frames(desk.ask("GET", url))]
    assert sum("start container" in line for line in lines) > 5
    assert frames(desk.ask("GET", url + "?source=container")) == []


def test_an_eviction_is_billed_to_its_time_even_when_the_clock_leaps():
    desk = Desk(faults=[FaultRule(kind=FaultKind.EVICTION, seconds=1797)])
    pod_id = desk.create()
    desk.clock.advance(36_000)
    desk.cloud.tick()
    gpu = sum(usd for entry, usd in desk.cloud.meter.booked.items() if entry.component == "gpu")
    assert float(gpu) == pytest.approx(0.2)
    assert desk.pods.stopped[0][0] == pod_id


def test_lines_in_a_log_gap_are_lost_and_later_ones_come():
    desk = Desk(faults=[FaultRule(kind=FaultKind.LOG_GAP, seconds=60)])
    pod_id = desk.running()
    desk.pods.printed[pod_id] = ["lost"]
    desk.cloud.tick()
    desk.clock.advance(120)
    desk.pods.printed[pod_id] = ["kept"]
    found = frames(desk.ask("GET", f"/v2/pods/{pod_id}/logs?source=container"))
    assert [data["line"] for _, data in found] == ["kept"]


def test_a_skewed_clock_reaches_container_and_log():
    desk = Desk(faults=[FaultRule(kind=FaultKind.CLOCK_SKEW, seconds=300)])
    pod_id = desk.running()
    assert desk.pods.started[0].clock_skew_s == 300
    desk.pods.printed[pod_id] = ["hello"]
    found = frames(desk.ask("GET", f"/v2/pods/{pod_id}/logs?source=container"))
    told = (desk.clock.now() + timedelta(seconds=300)).strftime("%Y-%m-%dT%H:%M:%S")
    assert found[0][1]["ts"].startswith(told)


def test_without_money_pods_end_and_those_with_a_volume_stop():
    desk = Desk(balance_usd=2)
    body = {"name": "v", "size": 50, "dataCenter": "US-KS-2"}
    volume = desk.ask("POST", "/v2/network-volumes", body).json()["id"]
    kept = desk.running(mounts={"network": [{"volumeId": volume, "path": "/w"}]})
    lost = desk.running()
    desk.clock.advance(3 * 3600)
    assert desk.listed() == [kept]
    assert status_of(desk, kept) == "EXITED"
    assert lost in desk.pods.removed
    assert desk.ask("POST", "/v2/pods", order()).status == 402


def test_terminated_pods_are_forgotten_but_not_their_bill():
    desk = Desk()
    pod_id = desk.running()
    desk.ask("DELETE", f"/v2/pods/{pod_id}")
    desk.clock.advance(2 * 86_400)
    desk.cloud.tick()
    assert pod_id not in desk.cloud.account.pods
    assert desk.ask("GET", f"/v2/billing/pods?podId={pod_id}").json()["records"]


def test_the_next_event_is_told():
    desk = Desk(provisioning_s=5, pull_s=60)
    assert desk.cloud.next_event() is None
    desk.create()
    assert desk.cloud.next_event() == desk.clock.now() + timedelta(seconds=5)
    desk.clock.advance(100)
    desk.cloud.tick()
    assert desk.cloud.next_event() is None


class Lives(RuleBasedStateMachine):
    """Random actions and steps of the clock."""

    def __init__(self):
        super().__init__()
        kinds = (FaultKind.CRASH_LOOP, FaultKind.EVICTION, FaultKind.WRONG_CUDA_HOST)
        rules = [FaultRule(kind=kind, probability=0.2, seconds=30) for kind in kinds]
        self.desk = Desk(faults=rules, rate_limits={"per_minute": 0, "per_hour": 0, "per_day": 0})
        self.ids = []
        self.spent = 0

    @rule(gpu=st.sampled_from(["NVIDIA A40", "NVIDIA L40S", "Stand-in CPU"]))
    def create(self, gpu):
        response = self.desk.ask("POST", "/v2/pods", order(gpu=gpu))
        if response.status == 201:
            self.ids.append(response.json()["id"])
        else:
            assert response.status == 402

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), action=st.sampled_from(["start", "stop", "restart", "terminate"]))
    def act(self, data, action):
        pod_id = data.draw(st.sampled_from(self.ids))
        before = self.desk.ask("GET", f"/v2/pods/{pod_id}")
        response = self.desk.act(pod_id, action)
        if before.status == 404:
            assert response.status == 404
        else:
            allowed = action in before.json()["actions"]
            assert response.status in ((200, 204) if allowed else (409,))

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), code=st.integers(0, 255))
    def end_command(self, data, code):
        self.desk.pods.codes[data.draw(st.sampled_from(self.ids))] = code

    @rule(seconds=st.floats(0, 5_000))
    def wait(self, seconds):
        self.desk.clock.advance(seconds)
        self.desk.cloud.tick()

    @invariant()
    def statuses_and_actions_fit(self):
        for pod in self.desk.ask("GET", "/v2/pods").json()["pods"]:
            assert pod["actions"] == list(ACTIONS[pod["status"]])
            assert (pod["cost"] == 0) == (pod["status"] == "EXITED")
            assert pod["runtime"] is None or pod["status"] == "RUNNING"

    @invariant()
    def spending_never_falls(self):
        spent = self.desk.cloud.account.spent_usd
        assert spent >= self.spent
        self.spent = spent

    @invariant()
    def ids_never_repeat(self):
        assert len(set(self.ids)) == len(self.ids)

    @invariant()
    def only_running_pods_have_containers(self):
        running = {pod.id for pod in self.desk.cloud.account.live_pods() if pod.status == "RUNNING"}
        assert self.desk.pods.running <= running

    def teardown(self):
        self.desk.cloud.close()
        assert self.desk.pods.running == set()


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
