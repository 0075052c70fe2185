"""What every provider promises; a new one is added to PROVIDERS and passes this file unchanged."""

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from podtune.core.job import Instance
from podtune.providers.base import InstanceState, LaunchRequest, Provider
from podtune.providers.local.processes import LocalProvider
from support import workers
from support.workers import until


class Case(NamedTuple):
    """A provider whose workers run a program, and another of the same account without memory."""

    make: Callable[[Path], Provider]


PROVIDERS = {"local": Case(lambda worker: LocalProvider(worker, grace_s=0.5))}


@pytest.fixture(params=sorted(PROVIDERS))
def case(request) -> Case:
    return PROVIDERS[request.param]


@pytest.fixture
def worker(tmp_path) -> Path:
    return workers.make(tmp_path / "worker", workers.WAITS)


@pytest.fixture
def provider(case, worker) -> Provider:
    return case.make(worker)


@pytest.fixture
def owner() -> str:
    return f"test{secrets.token_hex(4)}"


@pytest.fixture
def start(provider, owner, tmp_path) -> Iterator[Callable[..., LaunchRequest]]:
    """Make launch requests; whatever ran under their names is ended afterwards."""
    made: list[str] = []

    def request(label: str = "job-1") -> LaunchRequest:
        folder = tmp_path / label
        folder.mkdir(exist_ok=True)
        made.append(f"pt-{owner}-{label}")
        return LaunchRequest(made[-1], folder, workers.environment())

    yield request
    for name in made:
        provider.terminate(name, None)


def launched(provider: Provider, request: LaunchRequest) -> Instance:
    """Launch, and wait until the instance is seen under its name by anybody."""
    instance = provider.launch(request)
    owner = request.name.split("-")[1]
    until(lambda: any(i.id == instance.id for i in provider.owned(owner)))
    return instance


def test_a_launched_instance_runs_under_its_name(provider, start):
    before = datetime.now(UTC) - timedelta(seconds=5)
    request = start()
    instance = launched(provider, request)
    assert instance.name == request.name
    assert before < instance.started_at < datetime.now(UTC) + timedelta(seconds=5)
    assert provider.inspect(instance.id) is InstanceState.RUNNING


def test_launching_a_name_twice_adopts(provider, start):
    request = start()
    first = launched(provider, request)
    assert provider.launch(request) == first


def test_launching_after_the_record_was_lost_adopts(case, provider, worker, start):
    request = start()
    first = launched(provider, request)
    assert case.make(worker).launch(request).id == first.id


def test_two_names_are_two_instances(provider, start):
    one, other = launched(provider, start("job-1")), launched(provider, start("job-2"))
    assert one.id != other.id


def test_another_process_may_inspect(case, provider, worker, start):
    instance = launched(provider, start())
    assert case.make(worker).inspect(instance.id) is InstanceState.RUNNING


def test_terminating_proves_absence(provider, start):
    request = start()
    instance = launched(provider, request)
    proof = provider.terminate(request.name, instance.id)
    assert proof is not None
    assert proof.instance_id == instance.id
    assert proof.ended >= 1
    assert proof.method
    assert proof.absent_at.tzinfo is not None
    assert provider.inspect(instance.id) is InstanceState.GONE


def test_terminating_twice_proves_it_again_and_ends_nothing(provider, start):
    request = start()
    instance = launched(provider, request)
    provider.terminate(request.name, instance.id)
    again = provider.terminate(request.name, instance.id)
    assert again is not None
    assert again.ended == 0


def test_what_was_never_started_is_proved_absent(provider, owner):
    proof = provider.terminate(f"pt-{owner}-never", None)
    assert proof is not None
    assert (proof.instance_id, proof.ended) == (None, 0)


def test_terminating_by_name_alone_finds_what_was_not_recorded(case, provider, worker, start):
    request = start()
    instance = launched(provider, request)
    proof = case.make(worker).terminate(request.name, None)
    assert proof is not None
    assert proof.ended >= 1
    assert provider.inspect(instance.id) is InstanceState.GONE


def test_terminating_one_leaves_the_others(provider, start):
    one, other = start("job-1"), start("job-2")
    first, second = launched(provider, one), launched(provider, other)
    provider.terminate(one.name, first.id)
    assert provider.inspect(second.id) is InstanceState.RUNNING


def test_a_name_that_only_begins_so_is_left_alone(provider, start):
    one, other = start("job-1"), start("job-11")
    launched(provider, one)
    longer = launched(provider, other)
    provider.terminate(one.name, None)
    assert provider.inspect(longer.id) is InstanceState.RUNNING


def test_owned_lists_ours_and_nobody_elses(provider, start, owner):
    one, other = launched(provider, start("job-1")), launched(provider, start("job-2"))
    assert {i.id for i in provider.owned(owner)} == {one.id, other.id}
    assert provider.owned(owner[:-1]) == []
    provider.terminate(one.name, one.id)
    assert [i.id for i in provider.owned(owner)] == [other.id]


def test_a_relaunch_after_the_end_is_another_instance(provider, start):
    request = start()
    first = launched(provider, request)
    provider.terminate(request.name, first.id)
    second = launched(provider, request)
    assert second.id != first.id
    assert provider.inspect(first.id) is InstanceState.GONE
