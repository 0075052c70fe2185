import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from email.utils import format_datetime

import httpx2
import pytest

from podtune.core.clock import Steady
from podtune.core.errors import (
    BalanceError,
    ConflictError,
    CredentialsError,
    DoubtfulError,
    NoCapacityError,
    NotFoundError,
    PodtuneError,
    ProviderError,
    SpecError,
    UnavailableError,
)
from podtune.core.limits import Limits
from podtune.providers.base import InstanceState, LaunchRequest, Machine
from podtune.providers.runpod.command import python_command
from podtune.providers.runpod.orders import OrderBook
from podtune.providers.runpod.pods import RunPodProvider, create_body
from support.build import offer
from support.runpod_account import NO_INSTANCES, Account, Time, client, pod, problem

NAME = "pt-abc-job-1-x1800000000"
LIMITS = Limits(settle_s=60, proof_window_s=60)


class World:
    """An account, a clock, and a provider on both."""

    def __init__(self, *pods, limits=LIMITS):
        self.account, self.time, self.limits = Account(*pods), Time(), limits
        self.provider = self.another()

    def another(self):
        """A provider without memory, as after a restart."""
        return RunPodProvider(client(self.account, self.time), self.limits, clock=self.time.now)

    def wait(self, seconds):
        self.time.seconds += seconds


def machine(**changes):
    values = {
        "offer": offer(disk_usd_per_hour=Decimal("0.01")),
        "image": "runpod/pytorch:1",
        "command": python_command("print(1)"),
        "http_ports": (8466,),
        "disk_gb": 20,
        "volume_gb": 50,
    }
    return Machine(**{**values, **changes})


@pytest.fixture
def request_(tmp_path):
    return LaunchRequest(NAME, tmp_path, {"PODTUNE_JOB": "job"}, machine())


def test_an_order_says_all_that_runpod_needs(request_):
    world = World()
    made = world.provider.launch(request_)
    body = json.loads(world.account.requests[-1].content)
    assert body == {
        "name": NAME,
        "image": "runpod/pytorch:1",
        "gpu": {"id": "NVIDIA A40", "count": 1},
        "cloud": "SECURE",
        "disk": 20,
        "mounts": {"persistent": {"size": 50, "path": "/workspace"}},
        "env": {"PODTUNE_JOB": "job"},
        "ports": ["8466/http"],
        "args": python_command("print(1)"),
    }
    assert (made.id, made.name, made.gpu, made.region) == ("new1", NAME, "NVIDIA A40", "US-KS-2")


def test_the_price_is_the_larger_of_the_answers_with_disks_and_the_plans(request_, tmp_path):
    assert World().provider.launch(request_).usd_per_hour == Decimal("0.41")
    world = World()
    dearer = pod("x", NAME, cost="0.55")
    world.account.answer("POST /v2/pods", httpx2.Response(201, json=dearer))
    elsewhere = request_._replace(folder=tmp_path / "another job")
    assert world.provider.launch(elsewhere).usd_per_hour == Decimal("0.56")


@pytest.mark.parametrize(("changes", "field", "value"), [
    ({"volume": "vol1", "mount_path": "/data"}, "mounts", {"network": [{"volumeId": "vol1", "path": "/data"}]}),
    ({"volume_gb": 5}, "mounts", {"persistent": {"size": 10, "path": "/workspace"}}),
    ({"region": "EU-RO-1"}, "dataCenterIds", ["EU-RO-1"]),
    ({"min_cuda": "12.8"}, "gpu", {"id": "NVIDIA A40", "count": 1, "minCudaVersion": "12.8"}),
    ({"offer": offer(count=2)}, "gpu", {"id": "NVIDIA A40", "count": 2}),
    ({"offer": offer(cloud="community")}, "cloud", "COMMUNITY"),
    ({"registry": "reg1"}, "registry", "reg1"),
    ({"ssh": True}, "ports", ["8466/http", "22/tcp"]),
    ({"ssh": True}, "startSsh", True),
])  # fmt: skip
def test_each_wish_has_its_field(request_, changes, field, value):
    body = create_body(request_._replace(machine=machine(**changes)))
    assert body.model_dump(mode="json", by_alias=True, exclude_none=True)[field] == value


def test_without_a_volume_nothing_is_mounted_and_no_centre_is_pinned(request_):
    body = create_body(request_._replace(machine=machine(volume_gb=0)))
    sent = body.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert "mounts" not in sent
    assert "dataCenterIds" not in sent


@pytest.mark.parametrize("changes", [{"command": "sh -c 'echo $HOME'"}, {"disk_gb": 0}, {"min_cuda": "twelve"}])  # fmt: skip
def test_what_cannot_be_ordered_is_refused_before_anything_is_sent(request_, changes):
    world = World()
    with pytest.raises(SpecError) as caught:
        world.provider.launch(request_._replace(machine=machine(**changes)))
    assert caught.value.code == "bad_machine"
    assert world.account.requests == []


def test_more_than_fifty_variables_are_refused(request_):
    many = {f"V{i}": "" for i in range(51)}
    with pytest.raises(SpecError, match="env"):
        create_body(request_._replace(environment=many))


@pytest.mark.parametrize("name", ["worker", "pt-abc", ""])
def test_only_names_of_our_form_are_ordered_or_ended(request_, name):
    world = World()
    with pytest.raises(ProviderError):
        world.provider.launch(request_._replace(name=name))
    with pytest.raises(ProviderError):
        world.provider.terminate(name, "p1")
    with pytest.raises(ProviderError):
        world.provider.launch(request_._replace(machine=None))
    assert world.account.requests == []


def test_what_carries_the_name_is_adopted(request_):
    world = World(pod("there", NAME))
    assert world.provider.launch(request_).id == "there"
    assert world.account.made == 0


def test_of_two_the_oldest_is_kept_and_the_other_ended(request_):
    world = World(
        pod("young", NAME, createdAt="2026-11-22T12:00:09Z"),
        pod("old", NAME, createdAt="2026-11-22T12:00:01Z"),
        pod("other", NAME + "9"),
    )
    assert world.provider.launch(request_).id == "old"
    assert sorted(world.account.pods) == ["old", "other"]


@pytest.mark.parametrize("lost", [problem(502), httpx2.ReadTimeout("x"), httpx2.Response(201, content=b"{")])  # fmt: skip
def test_an_order_whose_answer_was_lost_is_found_by_its_name(request_, lost):
    world = World()

    def made_all_the_same(request):
        world.account.make(json.loads(request.content))
        if isinstance(lost, Exception):
            raise lost
        return lost

    world.account.answer("POST /v2/pods", made_all_the_same)
    with pytest.raises(DoubtfulError):
        world.provider.launch(request_)
    assert world.provider.launch(request_).id == "new1"
    assert world.account.made == 1


def test_a_crash_before_the_machine_is_noted_orders_no_second_one(request_):
    """The order was answered, the driver died before it wrote the id, and the lists lag."""
    world = World()
    made = world.provider.launch(request_)
    world.account.is_hidden.add(made.id)
    for _ in range(3):
        with pytest.raises(DoubtfulError):
            world.another().launch(request_)
        world.wait(10)
    world.account.is_hidden.clear()
    assert world.another().launch(request_).id == made.id
    assert world.account.made == 1


def test_of_two_drivers_at_once_one_orders(request_):
    world = World()
    other = world.another()

    def second_orders(_):  # all of it before the first driver's list is answered
        world.account.is_hidden.add(other.launch(request_).id)
        return httpx2.Response(200, json={"pods": []})

    world.account.answer("GET /v2/pods", second_orders)
    with pytest.raises(DoubtfulError):
        world.provider.launch(request_)
    assert world.account.made == 1


def test_the_doubt_of_an_earlier_driver_holds_the_proof_up(request_):
    world = World(limits=Limits(settle_s=60, proof_window_s=1))
    later = world.another()
    later.doubt(NAME, world.time.now())
    assert end(world, NAME, None, later) is not None
    assert world.time.seconds >= 60


def test_a_lost_order_is_never_sent_again_not_even_after_a_restart(request_):
    world = World()
    world.account.answer("POST /v2/pods", problem(500))
    with pytest.raises(DoubtfulError):
        world.provider.launch(request_)
    for seconds in (1, 70, 4000):
        world.wait(seconds)
        with pytest.raises(DoubtfulError) as caught:
            world.another().launch(request_)
        assert caught.value.context["settled"] is (seconds > 60)
    assert world.account.count("POST /v2/pods") == 1


def test_a_pod_that_shows_late_is_adopted_by_the_next_process(request_):
    world = World()
    world.account.is_hidden.add("new1")

    def hidden(request):
        world.account.make(json.loads(request.content))
        return problem(500)

    world.account.answer("POST /v2/pods", hidden)
    for _ in range(2):
        with pytest.raises(DoubtfulError):
            world.another().launch(request_)
    world.account.is_hidden.clear()
    assert world.another().launch(request_).id == "new1"
    assert world.account.made == 1


@pytest.mark.parametrize("odd", [pod("", NAME), pod("../x", NAME), pod("p1", "another")])
def test_an_answer_of_no_pod_of_ours_is_in_doubt(request_, odd):
    world = World()
    world.account.answer("POST /v2/pods", httpx2.Response(201, json=odd))
    with pytest.raises(DoubtfulError):
        world.provider.launch(request_)
    with pytest.raises(DoubtfulError):
        world.another().launch(request_)


def test_a_record_that_is_no_id_is_ended_by_its_name():
    world = World(pod("p1", NAME))
    proof = end(world, NAME, "ended:" + NAME)
    assert proof is not None
    assert world.account.pods == {}


def test_a_crash_between_order_and_answer_is_in_doubt(request_):
    world = World()
    world.account.answer("POST /v2/pods", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        world.provider.launch(request_)
    with pytest.raises(DoubtfulError):
        world.another().launch(request_)
    assert world.account.count("POST /v2/pods") == 1


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (problem(400, NO_INSTANCES), NoCapacityError),
        (problem(402), BalanceError),
        (problem(422), SpecError),
        (httpx2.ConnectError("x"), UnavailableError),
    ],
)
def test_after_a_sure_refusal_the_name_may_be_ordered_again(request_, refusal, kind):
    world = World()
    world.account.answer("POST /v2/pods", refusal)
    with pytest.raises(kind):
        world.provider.launch(request_)
    assert world.another().launch(request_).id == "new1"


def test_without_a_list_nothing_is_ordered(request_):
    world = World()
    world.account.answer("GET /v2/pods", *[problem(500) for _ in range(4)])
    with pytest.raises(UnavailableError):
        world.provider.launch(request_)
    assert world.account.made == 0


def test_one_list_serves_all_jobs_for_a_while():
    world = World(*[pod(f"p{i}", f"pt-abc-job{i}-1-x1") for i in range(100)])
    for i in range(100):
        assert world.provider.inspect(f"p{i}") is InstanceState.RUNNING
        world.provider.runtime(f"p{i}")
    assert len(world.provider.observe()) == 100
    assert len(world.account.requests) == 1
    world.wait(6)
    world.provider.observe()
    assert len(world.account.requests) == 2


def test_a_failed_list_is_no_empty_list():
    world = World(pod())
    world.account.answer("GET /v2/pods", *[problem(500) for _ in range(4)])
    with pytest.raises(UnavailableError):
        world.provider.observe()


def test_a_pod_just_ordered_is_not_gone_while_nothing_shows_it(request_):
    world = World()
    made = world.provider.launch(request_)
    world.account.is_hidden.add(made.id)
    for _ in range(9):
        assert world.provider.inspect(made.id) is InstanceState.STARTING
        world.wait(6)
    world.account.is_hidden.clear()
    assert world.provider.inspect(made.id) is InstanceState.STARTING  # PROVISIONING
    world.wait(600)
    assert world.provider.inspect(made.id) is InstanceState.STARTING


def test_a_pod_that_never_shows_is_gone_in_the_end(request_):
    world = World()
    made = world.provider.launch(request_)
    world.account.is_hidden.add(made.id)
    assert world.provider.inspect(made.id) is InstanceState.STARTING
    world.wait(61)
    assert world.provider.inspect(made.id) is InstanceState.GONE


def test_a_pod_that_was_listed_is_gone_after_two_lists_and_its_own_404():
    world = World(pod("p1", NAME))
    assert world.provider.inspect("p1") is InstanceState.RUNNING
    del world.account.pods["p1"]
    world.wait(6)
    assert world.provider.inspect("p1") is InstanceState.STARTING
    world.wait(6)
    assert world.provider.inspect("p1") is InstanceState.GONE


def test_a_stale_list_alone_does_not_make_a_pod_gone():
    world = World(pod("p1", NAME))
    world.provider.observe()
    stale = httpx2.Response(200, json={"pods": []})
    world.account.answer("GET /v2/pods", stale, stale, stale)
    for _ in range(3):
        world.wait(6)
        assert world.provider.inspect("p1") is InstanceState.RUNNING


@pytest.mark.parametrize("status", ["EXITED", "ERROR"])
def test_a_container_that_stopped_is_stopped(status):
    assert World(pod("p1", NAME, status)).provider.inspect("p1") is InstanceState.STOPPED


def test_owned_is_ours_alone():
    world = World(pod("a", "pt-abc-j-1-x1"), pod("b", "pt-abcd-j-1-x1"), pod("c", "mine"))
    assert [i.id for i in world.provider.owned("abc")] == ["a"]


def test_terminating_proves_absence_over_the_window():
    world = World(pod("p1", NAME))
    assert world.provider.terminate(NAME, "p1") is None
    assert world.account.pods == {}
    proof, calls = None, 0
    while proof is None:
        calls += 1
        assert calls < 100
        world.wait(2)
        proof = world.provider.terminate(NAME, "p1")
    assert 60 <= world.time.seconds <= 75
    assert (proof.instance_id, proof.ended) == ("p1", 1)
    assert "404" in proof.method
    assert proof.absent_at.tzinfo
    assert world.account.count("GET /v2/pods") <= 20
    assert world.account.count("DELETE /v2/pods/p1") == 1
    assert world.provider.inspect("p1") is InstanceState.GONE


def end(world, name, number, provider=None, seconds=400):
    """Terminate until there is a proof."""
    until = world.time.seconds + seconds
    while world.time.seconds < until:
        try:
            proof = (provider or world.provider).terminate(name, number)
        except PodtuneError:
            proof = None
        if proof is not None:
            return proof
        world.wait(2)
    return None


def test_everything_of_the_name_is_ended_and_nothing_else():
    world = World(pod("p1", NAME), pod("p2", NAME), pod("q", NAME + "1"), pod("r", "pt-abd-job-1-x1"))  # fmt: skip
    proof = end(world, NAME, "p1")
    assert proof is not None
    assert proof.ended == 2
    assert sorted(world.account.pods) == ["q", "r"]


def test_a_delete_that_fails_is_asked_again_and_keeps_none_of_the_others():
    world = World(pod("p1", NAME), pod("p2", NAME))
    world.account.answer("DELETE /v2/pods/p1", *[problem(500) for _ in range(8)])
    with pytest.raises(UnavailableError):
        world.provider.terminate(NAME, "p1")
    assert "p2" not in world.account.pods
    assert end(world, NAME, "p1") is not None


def test_a_404_to_the_delete_of_a_pod_just_ordered_proves_nothing():
    world = World(pod("p1", NAME))
    world.account.is_hidden.add("p1")
    assert world.provider.terminate(NAME, "p1") is None
    world.wait(30)
    assert world.provider.terminate(NAME, "p1") is None
    world.account.is_hidden.clear()  # the lists show it now
    proof = end(world, NAME, "p1")
    assert proof is not None
    assert world.account.pods == {}
    assert proof.ended == 1


def test_a_pod_that_only_its_own_address_shows_is_no_proof():
    world = World(pod("p1", NAME))
    stale = httpx2.Response(200, json={"pods": []})
    world.account.answer("DELETE /v2/pods/p1", httpx2.Response(204))  # said, not done
    world.account.answer("GET /v2/pods", *[stale] * 30)
    world.provider.terminate(NAME, "p1")
    for _ in range(28):
        world.wait(6)
        world.provider.terminate(NAME, "p1")
    assert world.account.pods == {}
    assert world.account.count("GET /v2/pods/p1") >= 1


def test_the_window_begins_again_after_a_restart():
    world = World(pod("p1", NAME))
    world.provider.terminate(NAME, "p1")
    world.wait(59)
    world.provider.terminate(NAME, "p1")
    later = world.another()
    world.wait(10)
    assert later.terminate(NAME, "p1") is None
    assert later.terminate(NAME, "p1") is None
    assert end(world, NAME, "p1", later) is not None


def test_while_runpod_is_away_it_is_tried_for_ever_and_deletes_are_sent_all_the_same():
    world = World(pod("p1", NAME))
    world.account.answer("GET /v2/pods", *[problem(503) for _ in range(40)])
    for _ in range(10):
        with pytest.raises(UnavailableError):
            world.provider.terminate(NAME, "p1")
        world.wait(300)
    assert world.account.pods == {}
    assert end(world, NAME, "p1") is not None


def test_a_delete_that_failed_is_sent_again_though_no_list_answers():
    world = World(pod("p1", NAME))
    world.account.answer("GET /v2/pods", *[problem(503) for _ in range(400)])
    world.account.answer("DELETE /v2/pods/p1", *[problem(503) for _ in range(4)])
    for _ in range(3):
        with pytest.raises(UnavailableError):
            world.provider.terminate(NAME, "p1")
        world.wait(10)
    assert world.account.pods == {}


def test_a_hundred_jobs_do_not_each_wait_for_a_runpod_that_is_away():
    world = World()
    world.account.answer("GET /v2/pods", *[problem(503) for _ in range(4)])
    for number in range(100):
        with pytest.raises(UnavailableError):
            world.provider.inspect(f"p{number}")
    assert len(world.account.requests) == 4
    world.wait(6)
    assert world.provider.observe() == {}


def test_what_was_never_made_is_proved_absent():
    world = World()
    proof = end(world, NAME, None)
    assert proof is not None
    assert (proof.instance_id, proof.ended) == (None, 0)


def test_an_order_in_doubt_is_not_proved_absent_before_it_has_settled(request_):
    world = World(limits=Limits(settle_s=60, proof_window_s=1))
    world.account.answer("POST /v2/pods", problem(500))
    with pytest.raises(DoubtfulError):
        world.provider.launch(request_)
    proof = end(world, NAME, None)
    assert proof is not None
    assert world.time.seconds >= 60


def test_an_id_of_another_name_is_left_alone():
    world = World(pod("p1", "pt-abc-other-1-x1800000000"))
    with pytest.raises(ProviderError) as caught:
        world.provider.terminate(NAME, "p1")
    assert caught.value.code == "foreign_machine"
    assert "p1" in world.account.pods


def test_a_pod_listed_as_terminated_is_gone():
    world = World(pod("p1", NAME, "TERMINATED"))
    world.account.answer("DELETE /v2/pods/p1", httpx2.Response(204))
    assert end(world, NAME, "p1") is not None


def test_two_lists_are_needed_even_without_a_window():
    world = World(limits=Limits(proof_window_s=0))
    assert world.provider.terminate(NAME, None) is None
    world.wait(0.1)
    assert world.provider.terminate(NAME, None) is not None


def test_many_ends_at_once_share_their_lists():
    world = World(*[pod(f"p{i}", f"pt-abc-job{i}-1-x1") for i in range(30)])
    open_, rounds = dict.fromkeys(range(30)), 0
    while open_:
        rounds += 1
        assert rounds < 100
        open_ = {
            i: None for i in open_ if world.provider.terminate(f"pt-abc-job{i}-1-x1", f"p{i}") is None
        }  # fmt: skip
        world.wait(2)
    assert world.account.pods == {}
    assert world.account.count("GET /v2/pods") < 2 * 30


def test_several_threads_may_ask_at_once(request_):
    world = World(*[pod(f"p{i}", f"pt-abc-job{i}-1-x1") for i in range(20)])

    def work(i):
        world.provider.inspect(f"p{i}")
        world.provider.terminate(f"pt-abc-job{i}-1-x1", f"p{i}")

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(work, range(20)))
    assert world.account.pods == {}


def test_runtime_and_shell():
    way = {"command": "ssh root@1.2.3.4 -p 22"}
    world = World(pod("p1", NAME, ssh={"proxy": None, "direct": way}), pod("p2", NAME + "2"))
    seen = world.provider.runtime("p1")
    assert seen is not None
    assert (seen.gpus[0].util, seen.gpus[0].memory_util, seen.uptime_s) == (94, 78, 30)
    assert world.provider.runtime("nope") is None
    assert world.provider.ssh("p1") == "ssh root@1.2.3.4 -p 22"
    with pytest.raises(ConflictError):
        world.provider.ssh("p2")
    with pytest.raises(NotFoundError):
        world.provider.ssh("nope")


def ended_one(world, number, name=NAME, steps=20):
    """Ends one until its proof; each look 5 s after the last."""
    for _ in range(steps):
        proof = world.provider.end_one(name, number)
        if proof is not None:
            return proof
        world.wait(5)
    raise AssertionError("never proved")


def test_one_of_a_name_is_ended_and_the_other_left():
    world = World(pod("p1", NAME), pod("p2", NAME))
    proof = ended_one(world, "p2")
    assert list(world.account.pods) == ["p1"]
    assert (proof.instance_id, proof.ended) == ("p2", 1)
    assert "GET of its id answered 404" in proof.method


def test_one_that_was_renamed_is_left_whether_listed_or_not():
    for renamed in ("pt-abc-job-2-x1800000000", "my-pod"):
        world = World(pod("p1", renamed))
        with pytest.raises(ProviderError, match="left running") as caught:
            world.provider.end_one(NAME, "p1")
        assert caught.value.code == "foreign_machine"
        assert list(world.account.pods) == ["p1"]
        assert world.account.count("DELETE /v2/pods/p1") == 0


def test_names_of_another_form_are_not_ended_one_by_one():
    world = World(pod("p1", "my-pod"))
    with pytest.raises(ProviderError, match="no name of podtune's"):
        world.provider.end_one("my-pod", "p1")


def test_without_a_list_nothing_is_asked_of_one():
    world = World(pod("p1", NAME))
    world.account.answer("GET /v2/pods", *[problem(503) for _ in range(4)])
    with pytest.raises(UnavailableError):
        world.provider.end_one(NAME, "p1")
    assert world.account.count("DELETE /v2/pods/p1") == 0


@pytest.mark.parametrize("verb", ["end_one", "terminate"])
def test_what_is_gone_is_proved_though_no_delete_is_ever_answered_well(verb):
    world = World()
    world.account.answer("DELETE /v2/pods/p1", *[problem(500) for _ in range(99)])
    proof = None
    for _ in range(30):
        with contextlib.suppress(UnavailableError):
            proof = proof or getattr(world.provider, verb)(NAME, "p1")
        world.wait(5)
    assert "answered 404" in proof.method
    assert proof.ended == 0


def test_the_time_that_runpod_tells_is_known():
    world = World()
    assert world.provider.told_at() is None
    told = {"date": "Sun, 22 Nov 2026 12:30:00 GMT"}
    world.account.answer("GET /v2/pods", httpx2.Response(200, json={"pods": []}, headers=told))
    world.provider.observe()
    assert f"{world.provider.told_at():%Y-%m-%d %H:%M %z}" == "2026-11-22 12:30 +0000"


def test_a_clock_that_was_set_back_keeps_up_with_the_providers_own():
    time = Time()
    steady = Steady(wall=lambda: time.now() - timedelta(hours=1), elapsed=time.monotonic)

    def dated(request):
        answer = Account()(request)
        answer.headers["date"] = format_datetime(time.now(), usegmt=True)
        return answer

    RunPodProvider(client(dated, time), Limits(), clock=steady).observe()
    assert abs((steady() - time.now()).total_seconds()) < 2


@pytest.mark.parametrize("refused", ["GET /v2/pods", "DELETE /v2/pods/new2"])
def test_a_machine_that_was_seen_is_not_taken_for_refused_when_the_key_is(request_, refused):
    """A driver that saw it may have died, or been refused the end of a second one, before it was noted."""
    world = World()
    world.account.answer("POST /v2/pods", _made_twice(world.account))
    with pytest.raises(DoubtfulError):
        world.provider.launch(request_)
    if refused.startswith("GET"):
        assert world.another().launch(request_).id == "new1"
    world.account.answer(refused, problem(401))
    with pytest.raises(CredentialsError):
        world.another().launch(request_)
    assert OrderBook(request_.folder).open_since(NAME) is not None
    assert world.account.count("POST /v2/pods") == 1


def _made_twice(account):
    """One create that makes two machines, and whose answer is lost."""

    def answer(request):
        body = json.loads(request.content)
        account.make(body)
        account.make(body)
        return httpx2.Response(502)

    return answer
