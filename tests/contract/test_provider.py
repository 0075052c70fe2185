"""What every provider promises; a new one is added to WORLDS and passes this file unchanged."""

import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol, TypeVar

import pytest
from pydantic import SecretStr

from podtune.core.job import Instance, TerminationProof
from podtune.core.limits import Limits
from podtune.providers.base import InstanceState, LaunchRequest, Machine, Provider
from podtune.providers.local.processes import LocalProvider
from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.command import python_command
from podtune.providers.runpod.pods import RunPodProvider
from podtune.testing.clock import VirtualClock
from podtune.testing.cloud import Cloud
from podtune.testing.options import CloudOptions
from podtune.testing.transport import transport
from support import workers
from support.build import offer

T = TypeVar("T")


class World(Protocol):
    """Where a provider's workers run, and the time there."""

    def provider(self) -> Provider:
        """A provider without memory, as another process would have it."""
        ...

    def request(self, name: str, folder: Path) -> LaunchRequest:
        """A worker that runs until it is ended."""
        ...

    def now(self) -> datetime: ...

    def wait(self) -> None:
        """Let a little time pass."""
        ...


class Local:
    """This machine; the worker is a real process."""

    def __init__(self, folder: Path) -> None:
        self._worker = workers.make(folder / "worker", workers.WAITS)

    def provider(self) -> Provider:
        return LocalProvider(self._worker, grace_s=0.5)

    def request(self, name: str, folder: Path) -> LaunchRequest:
        return LaunchRequest(name, folder, workers.environment())

    def now(self) -> datetime:
        return datetime.now(UTC)

    def wait(self) -> None:
        time.sleep(0.01)  # real processes take real time


class Pods:
    """The stand-in cloud on a clock of its own."""

    def __init__(self, folder: Path, options: CloudOptions | None = None) -> None:
        self._clock = VirtualClock()
        self._cloud = Cloud(self._clock, options=options)

    def provider(self) -> Provider:
        access = RunPodAccess(api_key=SecretStr("rpa_contract0123456789"))
        client = RunPodClient(
            access,
            transport=transport(self._cloud),
            sleep=self._clock.advance,
            clock=lambda: self._clock.now().timestamp(),
        )
        return RunPodProvider(client, Limits(), clock=self._clock.now)

    def request(self, name: str, folder: Path) -> LaunchRequest:
        machine = Machine(
            offer=offer(),
            image="runpod/pytorch:1.0.3-cu1281-torch291-ubuntu2404",
            command=python_command("import time; time.sleep(9999)"),
            http_ports=(8466,),
            disk_gb=20,
            volume_gb=50,
        )
        return LaunchRequest(name, folder, {}, machine)

    def now(self) -> datetime:
        return self._clock.now()

    def wait(self) -> None:
        self._clock.advance(2)


def slow_pods(folder: Path) -> World:
    """Lists and addresses that show a pod late and lose it late."""
    lags = CloudOptions(listing_lag_s=30, removal_lag_s=20, transient_404_s=25, page_size=1)
    return Pods(folder, lags)


WORLDS: dict[str, Callable[[Path], World]] = {
    "local": Local,
    "pods": Pods,
    "pods, slow lists": slow_pods,
}


@pytest.fixture(params=sorted(WORLDS))
def world(request, tmp_path) -> World:
    return WORLDS[request.param](tmp_path)


@pytest.fixture
def provider(world) -> Provider:
    return world.provider()


@pytest.fixture
def owner() -> str:
    return f"test{secrets.token_hex(4)}"


@pytest.fixture
def until(world) -> Callable[[Callable[[], T | None]], T]:
    """What `look` gives once it gives something."""

    def waited(look: Callable[[], T | None]) -> T:
        for _ in range(2000):
            found = look()
            if found:
                return found
            world.wait()
        raise AssertionError("waited in vain")

    return waited


@pytest.fixture
def start(world, provider, owner, tmp_path, until) -> Iterator[Callable[..., LaunchRequest]]:
    """Make launch requests; whatever ran under their names is ended afterwards."""
    made: list[str] = []

    def request(label: str = "job-1") -> LaunchRequest:
        folder = tmp_path / label
        folder.mkdir(exist_ok=True)
        made.append(f"pt-{owner}-{label}")
        return world.request(made[-1], folder)

    yield request
    for name in made:
        until(lambda name=name: provider.terminate(name, None))


@pytest.fixture
def launched(provider, owner, until) -> Callable[[LaunchRequest], Instance]:
    """Launch, and wait until the instance is seen under its name by anybody."""

    def launch(request: LaunchRequest) -> Instance:
        instance = provider.launch(request)
        until(lambda: any(i.id == instance.id for i in provider.owned(owner)))
        until(lambda: provider.inspect(instance.id) is InstanceState.RUNNING)
        return instance

    return launch


@pytest.fixture
def ended(provider, until) -> Callable[..., TerminationProof]:
    """Terminate until there is a proof."""

    def end(name: str, instance_id: str | None, by: Provider = provider) -> TerminationProof:
        return until(lambda: by.terminate(name, instance_id))

    return end


def test_a_launched_instance_runs_under_its_name(world, provider, start, launched):
    before = world.now() - timedelta(seconds=5)
    request = start()
    instance = launched(request)
    assert instance.name == request.name
    assert before < instance.started_at < world.now() + timedelta(seconds=5)
    assert provider.inspect(instance.id) is InstanceState.RUNNING


def test_launching_a_name_twice_adopts(provider, start, launched):
    request = start()
    first = launched(request)
    assert provider.launch(request) == first


def test_launching_after_the_record_was_lost_adopts(world, start, launched):
    request = start()
    first = launched(request)
    assert world.provider().launch(request).id == first.id


def test_two_names_are_two_instances(start, launched):
    one, other = launched(start("job-1")), launched(start("job-2"))
    assert one.id != other.id


def test_another_process_may_inspect(world, start, launched):
    instance = launched(start())
    assert world.provider().inspect(instance.id) is InstanceState.RUNNING


def test_an_instance_just_launched_is_not_gone(provider, start):
    instance = provider.launch(start())
    assert provider.inspect(instance.id) is not InstanceState.GONE


def test_terminating_proves_absence(provider, start, launched, ended, until):
    request = start()
    instance = launched(request)
    proof = ended(request.name, instance.id)
    assert proof.instance_id == instance.id
    assert proof.ended >= 1
    assert proof.method
    assert proof.absent_at.tzinfo is not None
    until(lambda: provider.inspect(instance.id) is InstanceState.GONE)


def test_terminating_what_was_just_launched_proves_absence(provider, start, ended, owner):
    request = start()
    instance = provider.launch(request)
    assert ended(request.name, instance.id) is not None
    assert provider.owned(owner) == []


def test_terminating_twice_proves_it_again_and_ends_nothing(start, launched, ended):
    request = start()
    instance = launched(request)
    ended(request.name, instance.id)
    assert ended(request.name, instance.id).ended == 0


def test_what_was_never_started_is_proved_absent(ended, owner):
    proof = ended(f"pt-{owner}-never-1", None)
    assert (proof.instance_id, proof.ended) == (None, 0)


def test_terminating_by_name_alone_finds_what_was_not_recorded(
    world, provider, start, launched, ended, until
):
    request = start()
    instance = launched(request)
    assert ended(request.name, None, world.provider()).ended >= 1
    until(lambda: provider.inspect(instance.id) is InstanceState.GONE)


def test_terminating_one_leaves_the_others(provider, start, launched, ended):
    one, other = start("job-1"), start("job-2")
    first, second = launched(one), launched(other)
    ended(one.name, first.id)
    assert provider.inspect(second.id) is InstanceState.RUNNING


def test_a_name_that_only_begins_so_is_left_alone(provider, start, launched, ended):
    one, other = start("job-1"), start("job-11")
    launched(one)
    longer = launched(other)
    ended(one.name, None)
    assert provider.inspect(longer.id) is InstanceState.RUNNING


def test_owned_lists_ours_and_nobody_elses(provider, start, launched, ended, owner):
    first = start("job-1")
    one, other = launched(first), launched(start("job-2"))
    assert {i.id for i in provider.owned(owner)} == {one.id, other.id}
    assert provider.owned(owner[:-1]) == []
    ended(first.name, one.id)
    assert [i.id for i in provider.owned(owner)] == [other.id]


def test_a_relaunch_after_the_end_is_another_instance(provider, start, launched, ended, until):
    request = start()
    first = launched(request)
    ended(request.name, first.id)
    second = launched(request)
    assert second.id != first.id
    until(lambda: provider.inspect(first.id) is InstanceState.GONE)
