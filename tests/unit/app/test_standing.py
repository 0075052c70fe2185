"""A rented job in words and figures."""

from datetime import timedelta
from decimal import Decimal

import pytest

from podtune.app.machine_view import MachineView
from podtune.app.standing import Standing
from podtune.core.events import Metrics
from podtune.core.handover import GpuUse
from podtune.core.job import Requote
from podtune.core.states import JobPhase, Outcome
from podtune.core.wire import Progress, TrainingStatus, status_of
from podtune.workflow import intents
from podtune.workflow.intents import Intent
from support import build, queued_jobs, rented_jobs

NOW = build.NOW + timedelta(minutes=10)


def standing(view=None, spent="0.12", **changes):
    return Standing(rented_jobs.job(**changes), Decimal(spent), view, NOW, 120.0)


def view(step="training", **changes):
    return MachineView(attempt=1, step=step, at=build.NOW, **changes)


def test_money_is_shown_against_the_ceiling_and_its_price_while_it_is_billed():
    assert standing().money() == "$0.12 of $5.00, at $0.40/h"
    assert standing(intent_at=None).money() == "$0.12 of $5.00"
    assert standing(spent="0.000718", intent_at=None).money() == "$0.01 of $5.00"
    assert standing(spent="0", intent_at=None).money() == "$0.00 of $5.00"


def test_the_share_of_the_ceiling_is_told_once_a_warning_was_given():
    warned = {"warned_at": NOW, "spent": "4.05"}
    assert standing(**warned).money() == "$4.05 of $5.00, at $0.40/h; 81 % of the ceiling"
    assert standing(**warned).warnings() == (standing(**warned).money(),)
    assert standing(**warned, intent_at=None).money() == "$4.05 of $5.00"
    assert standing(**warned, intent_at=None).warnings() == ()
    assert standing(spent="4.05").warnings() == ()


def ordered(usd="0.30", *, reserved="1.20", gone=False, billed=None, settled=True, instance="pod1"):
    """A machine that was ordered an hour ago at so many dollars an hour."""
    return Intent(
        "n", "demo-abc234", 1, NOW - timedelta(hours=1), Decimal(usd), None, None, instance,
        NOW if gone else None, reserved_usd=Decimal(reserved),
        billed_usd=None if billed is None else Decimal(billed),
        settled_at=NOW if billed is not None and settled else None,
    )  # fmt: skip


def counted(*orders, now=NOW, **changes):
    found = standing(**changes)
    return found._replace(orders=orders, spent=intents.total(orders, now), now=now)


DONE = {"phase": JobPhase.DONE, "outcome": Outcome.COMPLETED, "intent_at": None}


def test_what_is_reserved_is_held_while_the_machine_may_run():
    assert counted(ordered()).reserved == Decimal("1.20")
    assert counted(ordered("9")).reserved == Decimal("9.00"), "one that outlived its reserve"
    assert counted(ordered(gone=True), ordered()).reserved == Decimal("1.50")
    assert counted(ordered(gone=True)).reserved == Decimal("0.30")
    assert standing().reserved == Decimal("0.12")


REQUOTE = Requote(
    at=NOW, steps=20, seconds_per_step=2, usd=Decimal("0.354"), ends_at=NOW + timedelta(hours=1)
)


def test_what_was_measured_stands_beside_the_quote():
    assert standing().quoted() == "$0.40 by the plan"
    ends = REQUOTE.ends_at.astimezone()
    assert standing(requote=REQUOTE).quoted() == (
        f"$0.40 by the plan; $0.36 in all, measured over 20 steps; done about {ends:%H:%M}"
    )
    assert standing(requote=REQUOTE, phase=JobPhase.TERMINATING).forecast() == ""


@pytest.mark.parametrize(
    ("hours", "more"), [(4.0, "--set where.max_hours=H"), (20.0, "a higher --budget")]
)
def test_a_training_that_will_not_be_done_in_time_is_told_with_the_next_step(hours, more):
    plan = rented_jobs.plan(max_hours=hours)
    late = REQUOTE.model_copy(update={"ends_at": build.NOW + timedelta(hours=5)})
    found = standing(requote=late, plan=plan)
    (words,) = found.warnings()
    assert words == found.shortfall()
    assert "saved as far as it is trained" in words
    assert (
        words.endswith(f"podtune cancel demo-abc234, then submit it with {more}") or more in words
    )
    assert standing(requote=REQUOTE, plan=plan).warnings() == ()


def test_the_quote_s_error_is_of_completed_jobs_by_the_bill_where_there_is_one():
    assert counted(ordered(gone=True), **DONE).quote_error == -0.25
    assert counted(ordered(gone=True, billed="0.50"), **DONE).quote_error == 0.25
    assert counted(ordered(gone=True, billed="0.50", settled=False), **DONE).quote_error == 0.25
    assert counted(ordered(gone=True, billed="0.20"), **DONE).quote_error == -0.5
    assert counted(ordered(gone=True, billed="0.20"), **DONE).quoted().endswith("it cost 50 % less")
    assert counted(ordered()).quote_error is None
    assert counted(ordered(gone=True), **DONE | {"outcome": Outcome.FAILED}).quote_error is None


def test_the_bill_is_told_beside_our_meter():
    assert counted(ordered()).bill() == "", "it still runs"
    assert counted().bill() == ""
    assert counted(ordered(instance=None, gone=True)).bill() == "", "nothing was made"
    meter = "$0.30 by our meter"
    late = NOW + timedelta(days=8)
    cases = [
        (counted(ordered(gone=True, billed="0.29")), f"$0.29 by RunPod's bill, {meter}"),
        (counted(ordered(gone=True)), f"{meter}; RunPod's bill is not final yet"),
        (counted(ordered(gone=True), now=late), f"{meter}; RunPod told no bill within 7 days: see"),
        (counted(ordered(gone=True, instance=intents.UNSEEN)), f"{meter}; a machine was ended before"),
    ]  # fmt: skip
    for found, words in cases:
        assert found.bill().startswith(words)


@pytest.mark.parametrize(
    ("usd", "billed", "words"),
    [
        ("0.30", "0.30", None),
        ("0.30", "0.31", None),
        ("0.30", "0.35", "$0.35, $0.05 more than our meter says:"),
        ("5.50", "5.40", "$5.40, $0.40 more than the ceiling allows:"),
        ("5.10", "5.40", "$5.40, $0.30 more than our meter says and $0.40 more than the ceiling"),
    ],
)
def test_a_bill_over_our_meter_or_the_ceiling_is_told(usd, billed, words):
    found = counted(ordered(usd, gone=True, billed=billed), **DONE)
    if words is None:
        assert found.excess() is None
        assert found.warnings() == ()
        return
    assert found.excess().startswith(f"RunPod billed {words}")
    assert "podtune runpod audit" in found.excess()
    assert found.warnings() == (found.excess(),)


def test_programs_get_the_same_figures():
    found = counted(ordered(), requote=REQUOTE)
    figures = found.figures()
    assert figures == {
        "cost_usd": 0.3, "ceiling_usd": 5.0, "reserved_usd": 1.2, "quote_usd": 0.4,
        "requote_usd": 0.354, "billed_usd": None, "quote_error": None,
    }  # fmt: skip
    told = found.told(status_of(found.job, Progress()))
    assert {name: getattr(told, name) for name in figures} == figures
    assert TrainingStatus.model_validate_json(told.model_dump_json()) == told


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


@pytest.mark.parametrize(
    ("changes", "checkpoint", "words"),
    [
        (
            {"phase": JobPhase.TERMINATING, "recovering": "worker_lost", "recoveries": 1},
            40,
            "the machine was lost (worker_lost): going on with another from checkpoint step 40 (2 of 3)",
        ),
        (
            {"phase": JobPhase.TERMINATING, "recovering": "no_cuda"},
            None,
            "the machine was unfit (no_cuda): going on with another from the beginning (1 of 3)",
        ),
        (
            {"phase": JobPhase.STAGING, "recoveries": 1},
            40,
            "going on with another from checkpoint step 40 (1 of 3)",
        ),
        (
            {"phase": JobPhase.PROVISIONING, "recoveries": 2, "instance_id": None},
            40,
            "waiting for a machine: A40; going on with another from checkpoint step 40 (2 of 3)",
        ),
        ({"phase": JobPhase.TRAINING, "recoveries": 1}, 40, ""),
    ],
)
def test_a_job_between_two_attempts_says_how_it_goes_on(changes, checkpoint, words):
    found = standing(view(), **changes)._replace(checkpoint=checkpoint)
    assert found.doing() == words
    assert found.leak() is None
    status = found.told(status_of(found.job, Progress()))
    assert (found.going_on() in status.warnings) is bool(words)


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


def test_what_is_amiss_with_the_account_stands_among_the_warnings():
    found = standing()._replace(amiss=("LEAK RISK $0.40/h: another", "RunPod could not be asked"))
    told = found.told(status_of(found.job, Progress(warnings=("w",))))
    assert told.warnings == ("LEAK RISK $0.40/h: another", "RunPod could not be asked", "w")


def test_an_endpoint_has_no_bill_by_the_job():
    found = counted(ordered(gone=True), plan=queued_jobs.plan())
    assert "by the hour, not by the job" in found.bill()
