"""A rented job in words and figures."""

from datetime import timedelta
from decimal import Decimal

import pytest

from podtune.app.machine_view import MachineView
from podtune.app.standing import Standing
from podtune.core.events import Metrics
from podtune.core.handover import GpuUse
from podtune.core.states import JobPhase
from podtune.core.wire import Progress, status_of
from support import build, rented_jobs

NOW = build.NOW + timedelta(minutes=10)


def standing(view=None, spent="0.12", **changes):
    return Standing(rented_jobs.job(**changes), Decimal(spent), view, NOW, 120.0)


def view(step="training", **changes):
    return MachineView(attempt=1, step=step, at=build.NOW, **changes)


def test_money_is_shown_against_the_ceiling_and_its_price_while_it_is_billed():
    assert standing().money() == "$0.12 of $5.00 at $0.40/h"
    assert standing(intent_at=None).money() == "$0.12 of $5.00"
    assert standing(spent="0.000718", intent_at=None).money() == "$0.01 of $5.00"
    assert standing(spent="0", intent_at=None).money() == "$0.00 of $5.00"


@pytest.mark.parametrize(
    ("changes", "seen", "words"),
    [
        ({"phase": JobPhase.PROVISIONING, "instance_id": None}, None, "waiting for a machine: A40"),
        (
            {"phase": JobPhase.PROVISIONING},
            view("starting", detail="pulling 40 %"),
            "pulling 40 %",
        ),
        (
            {"phase": JobPhase.PROVISIONING},
            view(
                "receiving", detail="sending the work", done_bytes=12 * 10**6, total_bytes=4 * 10**7
            ),
            "sending the work: 12 MB of 40 MB",
        ),
        ({}, view("installing", detail="31 libraries"), "installing: 31 libraries"),
        ({}, view("training", detail="training"), ""),
        ({}, None, ""),
        ({"attempt": 2}, view("installing", detail="of an earlier attempt"), ""),
        ({"hindrance": "waits: no key"}, view(), "waits: no key"),
        (
            {"phase": JobPhase.TERMINATING},
            view(),
            "ending the machine, until it is proved gone",
        ),
        (
            {"phase": JobPhase.TERMINATING, "kept_until": NOW + timedelta(minutes=1)},
            view(),
            f"kept until {NOW + timedelta(minutes=1):%H:%M:%S} UTC: podtune ssh demo-abc234",
        ),
    ],
)
def test_what_goes_on_is_said_in_plain_words(changes, seen, words):
    assert standing(seen, **changes).doing() == words


def test_the_load_of_the_cards():
    card = GpuUse(util=93.4, memory_used_bytes=38 * 2**30, memory_total_bytes=45 * 2**30)
    assert standing(view(gpus=(card,))).load() == "GPU 93 %, 38.0 GiB"
    assert standing(view(gpus=(GpuUse(),))).load() == ""
    assert standing().load() == ""


def test_an_unwanted_machine_without_proof_is_a_leak_risk_after_the_alarm():
    left = {"phase": JobPhase.TERMINATING, "left_at": NOW - timedelta(seconds=121)}
    assert standing(**left).leak().startswith("LEAK RISK $0.40/h")
    assert standing(**{**left, "left_at": NOW - timedelta(seconds=119)}).leak() is None
    assert standing().leak() is None


def test_a_hint_is_given_only_when_the_worker_has_long_said_nothing():
    busy = GpuUse(util=80, memory_used_bytes=80, memory_total_bytes=100)
    found = standing(view(gpus=(busy,)))
    assert found.hint(NOW - timedelta(seconds=61)) == "by the card's load: training in progress"
    assert found.hint(NOW - timedelta(seconds=59)) is None
    assert found.hint(None) is not None
    assert standing(view(gpus=(busy,)), phase=JobPhase.RETRIEVING).hint(None) is None


def test_the_status_of_an_application_has_the_load_and_what_is_amiss():
    card = GpuUse(util=93.4, memory_used_bytes=1, memory_total_bytes=2)
    found = standing(view(gpus=(card,)))
    told = found.told(status_of(found.job, Progress(warnings=("w",)), found.spent))
    assert (told.metrics.gpu_utilization, told.warnings) == (93.4, ("w",))
    left = standing(phase=JobPhase.TERMINATING, left_at=NOW - timedelta(minutes=5))
    told = left.told(status_of(left.job, Progress()))
    assert told.warnings[0].startswith("LEAK RISK")
    own = Progress(metrics=Metrics(gpu_utilization=50))
    assert found.told(status_of(found.job, own)).metrics.gpu_utilization == 50
