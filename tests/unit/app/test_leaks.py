"""LEAK RISK in words: of jobs, of machines that no job wants, and of several together."""

from datetime import timedelta
from decimal import Decimal

import pytest

from podtune.app import leaks
from podtune.core.states import JobPhase
from podtune.workflow import strays
from podtune.workflow.store import JobStore
from support import build, rented_jobs
from support.reaping import stray

NOW = build.NOW


@pytest.mark.parametrize(
    ("price", "now", "told"),
    [
        (Decimal("0.44"), NOW, f"LEAK RISK $0.44/h: not proved gone since {NOW:%H:%M:%S} UTC"),
        (None, NOW, f"LEAK RISK $?/h: not proved gone since {NOW:%H:%M:%S} UTC"),
        (Decimal(1), NOW + timedelta(days=1), f"LEAK RISK $1.00/h: not proved gone since {NOW:%Y-%m-%d %H:%M:%S} UTC"),
    ],
)  # fmt: skip
def test_one_machine(price, now, told):
    assert leaks.words(price, NOW, now) == told


def test_one_that_no_job_wants_is_named_with_the_reason():
    (leak,) = leaks.of_strays([stray(called="pt-o-j-1-x1", first_seen_at=NOW)], NOW, "acc")
    assert leak.words == (
        f"LEAK RISK $0.40/h: pod p9 of pt-o-j-1-x1 is not proved gone since {NOW:%H:%M:%S} UTC "
        "(its job is over)"
    )


def test_several_together():
    assert leaks.summary([Decimal("0.4")]) == "LEAK RISK $0.40/h: 1 machine is not proved gone"
    both = leaks.summary([Decimal("0.4"), None])
    assert both == "LEAK RISK $0.40 and more/h: 2 machines are not proved gone"


def test_what_a_store_knows(tmp_path):
    store = JobStore(tmp_path / "podtune.db")
    late = {"phase": JobPhase.TERMINATING, "left_at": NOW - timedelta(seconds=121)}
    store.add(rented_jobs.job(id="late", **late))
    store.add(rented_jobs.job(id="in-time", **late | {"left_at": NOW}))
    store.add(rented_jobs.job(id="training"))
    assert [leak.job for leak in leaks.find(store, NOW, 120)] == ["late"]
    with store.transaction() as connection:
        strays.see(connection, stray())
        strays.see(connection, stray("p8"))
        gone = rented_jobs.Pods().proofs[0]
        strays.prove(connection, "p8", gone, NOW)
    found = leaks.find(store, NOW, 120)
    assert [leak.machine for leak in found] == ["pod1", "p9"]
    assert all(leak.words.startswith("LEAK RISK $0.40/h: ") for leak in found)
    store.close()


def test_one_that_the_present_key_does_not_show_says_which_would():
    (leak,) = leaks.of_strays([stray()], NOW, "another")
    assert leak.words.endswith(f"its job is over; {leaks.ELSEWHERE})")
