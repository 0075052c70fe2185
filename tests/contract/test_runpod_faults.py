"""The pod provider against a stand-in cloud that goes wrong: nothing is ordered twice, nothing is left."""

import random
from pathlib import Path

import pytest
from pydantic import SecretStr

from podtune.core.errors import (
    BalanceError,
    CredentialsError,
    DoubtfulError,
    NoCapacityError,
    PodtuneError,
    SpecError,
    UnavailableError,
)
from podtune.core.limits import Limits
from podtune.providers.base import InstanceState, LaunchRequest, Machine
from podtune.providers.runpod import account, catalogue
from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.catalogue import Wanted
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.command import python_command
from podtune.providers.runpod.log_stream import follow
from podtune.providers.runpod.pods import RunPodProvider
from podtune.testing.clock import VirtualClock
from podtune.testing.cloud import Cloud
from podtune.testing.faults import FaultKind, FaultRule
from podtune.testing.options import CloudOptions
from podtune.testing.transport import transport
from support.build import offer

NAME = "pt-abc-job-1-x1900000000"
OTHER = "pt-abd-job-1-x1900000000"


class World:
    """A cloud with faults, its clock, and providers that come and go."""

    def __init__(self, *faults, seed=0, folder=None, **options):
        self.clock = VirtualClock()
        self.cloud = Cloud(self.clock, seed=seed, options=CloudOptions(**options), faults=faults)
        self.folder = folder or Path()
        self.provider = self.another()

    def client(self, **access):
        return RunPodClient(
            RunPodAccess(**{"api_key": SecretStr("rpa_faults0123456789"), **access}),
            transport=transport(self.cloud),
            sleep=self.clock.advance,
            clock=lambda: self.clock.now().timestamp(),
            chance=random.Random(0),
        )

    def another(self):
        """As after a restart of ours."""
        return RunPodProvider(self.client(), Limits(), clock=self.clock.now)

    def request(self, name=NAME, **changes):
        machine = Machine(
            offer(**changes),
            "runpod/pytorch:1",
            python_command(""),
            (8466,),
            20,
            50,
            min_cuda="12.8",
        )
        return LaunchRequest(name, self.folder / name, {}, machine)

    def alive(self, name=NAME):
        """Pods of a name that exist and are billed, as the cloud itself knows."""
        return [pod for pod in self.cloud.account.live_pods() if pod.name == name]

    def launched(self, patience_s=300, provider=None):
        """Order until it is there, or surely is not; None after all patience."""
        provider = provider or self.provider
        until = self.clock.now().timestamp() + patience_s
        while self.clock.now().timestamp() < until:
            try:
                return provider.launch(self.request())
            except (DoubtfulError, UnavailableError):
                self.clock.advance(3)
        return None

    def ended(self, number, provider=None, patience_s=1800):
        provider = provider or self.provider
        until = self.clock.now().timestamp() + patience_s
        while self.clock.now().timestamp() < until:
            try:
                proof = provider.terminate(NAME, number)
            except PodtuneError:
                proof = None
            if proof is not None:
                return proof
            self.clock.advance(2)
        return None


@pytest.fixture
def world(tmp_path):
    return lambda *faults, **options: World(*faults, folder=tmp_path, **options)


def rule(kind, route, **more):
    return FaultRule(kind=FaultKind(kind), route=route, **more)


@pytest.mark.parametrize("kind", ["after_effect", "wrong_body", "reset"])
def test_an_order_done_without_an_answer_is_adopted(world, kind):
    there = world(rule(kind, "create_pod", times=1), listing_lag_s=20, transient_404_s=20)
    instance = there.launched()
    assert instance is not None
    assert [pod.id for pod in there.alive()] == [instance.id]
    assert there.ended(instance.id) is not None
    assert there.alive() == []


@pytest.mark.parametrize("fault", [
    rule("before_effect", "create_pod", times=1), rule("reset", "create_pod", times=1, is_before=True),
    rule("delay", "create_pod", times=1, seconds=300, is_before=True),
])  # fmt: skip
def test_an_order_not_done_stays_in_doubt_and_is_proved_absent(world, fault):
    there = world(fault)
    assert there.launched() is None
    assert there.alive() == []
    proof = there.ended(None)
    assert proof is not None
    assert proof.instance_id is None


def test_an_answer_that_comes_too_late_is_in_doubt(world):
    there = world(rule("delay", "create_pod", times=1, seconds=300))
    with pytest.raises(DoubtfulError):
        there.provider.launch(there.request())
    instance = there.launched()
    assert [pod.id for pod in there.alive()] == [instance.id]


def test_two_pods_for_one_order_are_both_ended(world):
    there = world(rule("duplicate", "create_pod", times=1))
    instance = there.launched()
    assert len(there.alive()) == 2
    there.clock.advance(10)
    assert there.another().launch(there.request()).id in {p.id for p in there.alive()}
    assert len(there.alive()) == 1
    assert there.ended(instance.id) is not None
    assert there.alive() == []


def test_no_capacity_and_then_another_card(world):
    there = world(rule("capacity_drought", "*", gpu="NVIDIA A40"))
    with pytest.raises(NoCapacityError):
        there.provider.launch(there.request())
    instance = there.provider.launch(there.request(gpu="NVIDIA RTX A6000"))
    assert instance.gpu == "NVIDIA RTX A6000"


def test_an_empty_account_cannot_rent(world):
    there = world(balance_usd="0.01")
    with pytest.raises(BalanceError):
        there.provider.launch(there.request())
    with pytest.raises(BalanceError):
        account.check_funds(there.client(), offer().usd_per_hour)
    assert there.alive() == []


def test_a_rejected_key_and_a_retired_address(world):
    there = world()
    with pytest.raises(CredentialsError) as caught:
        account.check_key(there.client(api_key=SecretStr("wrong")))
    assert caught.value.code == "rejected_key"
    with pytest.raises(SpecError) as gone:
        account.check_key(there.client(rest_url="https://rest.runpod.io/v1"))
    assert gone.value.code == "bad_setting"


def test_an_unknown_card_is_refused_with_runpods_words(world):
    there = world()
    with pytest.raises(PodtuneError) as caught:
        there.provider.launch(there.request(gpu="NVIDIA H9000"))
    assert isinstance(caught.value, SpecError | NoCapacityError)


@pytest.mark.parametrize("kind", ["before_effect", "after_effect", "no_effect", "reset"])
def test_a_delete_that_goes_wrong_is_repeated_until_it_is_true(world, kind):
    there = world(rule(kind, "delete_pod", times=5), removal_lag_s=10)
    instance = there.launched()
    there.clock.advance(20)
    assert there.ended(instance.id) is not None
    assert there.alive() == []


def test_stale_lists_do_not_prove_absence(world):
    there = world(rule("stale_read", "list_pods", nth=(2, 3, 4, 5, 6)))
    there.provider.observe()  # the empty list that is served again
    there.clock.advance(6)
    instance = there.provider.launch(there.request())
    for _ in range(4):
        there.clock.advance(6)
        assert there.provider.inspect(instance.id) is not InstanceState.GONE
    assert there.ended(instance.id) is not None
    assert there.alive() == []


def test_a_stuck_and_a_looping_pod_are_not_running(world):
    stuck = world(rule("stuck_initialising", "*"))
    instance = stuck.launched()
    stuck.clock.advance(600)
    assert stuck.provider.inspect(instance.id) is InstanceState.STARTING
    host = world(rule("wrong_cuda_host", "*"))
    instance = host.provider.launch(host.request("pt-abc-job-2-x1900000000"))
    host.clock.advance(60)
    assert host.provider.inspect(instance.id) is InstanceState.STOPPED


def test_an_evicted_pod_is_stopped(world):
    there = world(rule("eviction", "*", seconds=30))
    instance = there.launched()
    there.clock.advance(120)
    assert there.provider.inspect(instance.id) is InstanceState.STOPPED
    assert there.ended(instance.id) is not None


def test_rate_limits_are_lived_with(world):
    there = world(rate_limits={"per_minute": 20})
    asking, began = there.client(), there.clock.now().timestamp()
    for _ in range(60):
        catalogue.offers(asking, Wanted())
    assert there.clock.now().timestamp() - began < 400


@pytest.mark.parametrize("options", [{"page_size": 2}, {"prices_as_text": True}])
def test_pages_and_prices_as_text(world, options):
    there = world(**options)
    offers = catalogue.offers(there.client(), Wanted())
    plain = catalogue.offers(World().client(), Wanted())
    assert [(o.gpu, o.usd_per_hour) for o in offers] == [(o.gpu, o.usd_per_hour) for o in plain]


def test_a_log_is_resumed_without_a_repeat(world):
    there = world()
    instance, asking = there.launched(), there.client()

    def read(after=None):
        clock = lambda: there.clock.now().timestamp()  # noqa: E731
        return list(
            follow(asking, instance.id, after=after, seconds=2, source="system", clock=clock)
        )

    whole = read()
    assert len(whole) >= 2
    there.clock.advance(1)
    assert [line.line for line in read(whole[0].id)][: len(whole) - 1] == [line.line for line in whole[1:]]  # fmt: skip
    assert len({line.id for line in whole}) == len(whole)


@pytest.mark.parametrize("seed", range(40))
def test_in_any_disorder_one_pod_is_ordered_and_none_is_left(seed, world):
    chance = random.Random(seed)
    kinds = ["before_effect", "after_effect", "wrong_body", "reset", "delay"]
    rules = [
        rule(kind, route, probability=0.25, seconds=90, is_before=chance.random() < 0.5)
        for route in ("create_pod", "list_pods", "get_pod", "delete_pod")
        for kind in chance.sample(kinds, 2)
    ]
    rules.append(rule("no_effect", "delete_pod", probability=0.3))
    there = world(
        *rules,
        seed=seed,
        listing_lag_s=chance.choice([0, 10, 25]),
        removal_lag_s=chance.choice([0, 15]),
        transient_404_s=chance.choice([0, 20]),
    )
    provider, instance = there.provider, None
    for _ in range(6):
        instance = there.launched(60, provider)
        assert len(there.alive()) <= 1
        if instance is not None:
            break
        provider = there.another() if chance.random() < 0.5 else provider
    number = instance.id if instance and chance.random() < 0.7 else None
    assert there.ended(number, there.another(), patience_s=6 * 3600) is not None
    assert there.alive() == []
