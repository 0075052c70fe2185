from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import UnavailableError
from podtune.providers.base import InstanceState
from podtune.providers.runpod import wire
from podtune.providers.runpod.listing import GpuUse, facts, listing, moment, money
from support.runpod_account import START, pod


def read(**changes):
    return facts(msgspec.convert(pod(**changes), wire.Pod))


@pytest.mark.parametrize(
    ("status", "runtime", "state"),
    [
        ("PROVISIONING", None, InstanceState.STARTING),
        ("STARTING", {}, InstanceState.STARTING),
        ("RUNNING", {"uptime": 1}, InstanceState.RUNNING),
        ("RUNNING", {"uptime": 0}, InstanceState.STARTING),
        ("RUNNING", {}, InstanceState.STARTING),
        ("RUNNING", None, InstanceState.STARTING),
        ("EXITED", None, InstanceState.STOPPED),
        ("ERROR", None, InstanceState.STOPPED),
        ("TERMINATED", None, InstanceState.GONE),
        ("SOMETHING_NEW", None, InstanceState.STARTING),
        (None, None, InstanceState.STARTING),
    ],
)
def test_states(status, runtime, state):
    assert read(status=status, runtime=runtime).state is state


def test_every_part_of_a_pod_may_be_missing():
    bare = facts(msgspec.json.decode(b'{"id":"x"}', type=wire.Pod))
    assert (bare.name, bare.usd_per_hour, bare.gpus, bare.ssh) == ("", None, (), ())
    assert bare.instance(START).started_at == START


def test_facts_of_a_running_pod():
    seen = read(
        runtime={"uptime": 3600, "gpus": [{"util": 94, "memoryUtil": 78}, {}], "ports": [{"private": 22}]},
        ssh={"proxy": {"command": "ssh a@ssh.runpod.io"}, "direct": {"command": "ssh root@1.2.3.4"}},
    )  # fmt: skip
    assert seen.gpus == (GpuUse(94, 78), GpuUse(None, None))
    assert seen.uptime_s == 3600
    assert seen.ssh == ("ssh root@1.2.3.4", "ssh a@ssh.runpod.io")
    assert (seen.gpu, seen.region, seen.cuda) == ("NVIDIA A40", "US-KS-2", "12.8")
    instance = seen.instance(START)
    assert (instance.usd_per_hour, instance.started_at) == (Decimal("0.4"), START)


@pytest.mark.parametrize(
    ("value", "amount"), [("0.35", "0.35"), ("0", "0"), ("NaN", None), ("Infinity", None), ("-1", None),
     ("1e30", None)]
)  # fmt: skip
def test_only_amounts_are_money(value, amount):
    assert money(Decimal(value)) == (None if amount is None else Decimal(amount))
    assert money(None) is None


def test_times():
    assert moment("2026-03-13T20:00:00Z") == datetime(2026, 3, 13, 20, tzinfo=UTC)
    assert moment("2026-03-13T20:00:00") == datetime(2026, 3, 13, 20, tzinfo=UTC)
    assert moment(None) is None


@given(st.text(max_size=40))
def test_any_text_of_a_time_is_read_without_failing(text):
    found = moment(text)
    assert found is None or found.tzinfo


def pages(*pods):
    return [msgspec.convert({"pods": [one]}, wire.PodList) for one in pods]


def test_a_list_holds_what_carries_our_form_and_still_exists():
    seen = listing(
        START,
        pages(
            pod("a", "pt-abc-job-1-x1"),
            pod("b", "someone-elses"),
            pod("c", None),
            pod("d", "pt-abc-job-2-x1", "TERMINATED"),
            pod("e", "pt-abcd-job-1-x1"),
        ),
    )
    assert sorted(seen.pods) == ["a", "e"]
    assert [p.id for p in seen.owned("abc")] == ["a"]


@pytest.mark.parametrize("number", ["", "../x", "evil.example/", "a@b", "x" * 65])
def test_a_pod_of_ours_without_an_id_is_no_list(number):
    """Its port's address would carry the job's token elsewhere; and left out it would run for ever."""
    with pytest.raises(UnavailableError):
        listing(START, pages(pod("a", "pt-abc-job-1-x1"), pod(number, "pt-abc-job-2-x1")))
    assert listing(START, pages(pod(number, "someone-elses"))).pods == {}


def test_of_one_name_the_oldest_comes_first():
    name = "pt-abc-job-1-x1"
    seen = listing(
        START,
        pages(
            pod("young", name, createdAt="2026-11-22T12:00:09Z"),
            pod("old", name, createdAt="2026-11-22T12:00:01Z"),
            pod("other", name + "2"),
        ),
    )
    assert [p.id for p in seen.named(name)] == ["old", "young"]
