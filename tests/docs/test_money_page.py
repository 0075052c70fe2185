"""docs/explanation/money.md: its times and figures are what the code makes of the example."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest

from podtune.app import requote, settling
from podtune.core.limits import DEFAULTS, SKEW_S
from podtune.core.wire import TrainingStatus
from podtune.workflow import rental
from podtune.workflow.rented import WARN_SHARE
from podtune.workflow.steps import Seen
from support import build, rented_jobs


@pytest.fixture
def page(root):
    return (root / "docs/explanation/money.md").read_text(encoding="utf-8")


def told(seconds):
    minutes = round(seconds / 60)  # a deadline is in whole seconds
    return f"{minutes // 60} h {minutes % 60:02d} min"


def test_the_times_are_those_of_a_job_of_five_dollars_at_forty_cents(page):
    assert "$5.00 on a machine of $0.40 an hour" in page
    job = rented_jobs.job(plan=rented_jobs.plan(max_usd=Decimal("5"), max_hours=24.0))
    deadline = rental.deadline_of(job, Seen(now=build.NOW), DEFAULTS)
    ends = (deadline - build.NOW).total_seconds()
    warned = float(WARN_SHARE * 5 / Decimal("0.40")) * 3600
    times = [
        warned,
        ends - DEFAULTS.upload_reserve_s,
        ends,
        ends + SKEW_S,
        ends + SKEW_S + DEFAULTS.reap_every_s,
    ]
    assert re.findall(r"^\| (\d+ h \d\d min)", page, re.MULTILINE) == [told(t) for t in times]
    reserve = rental.reserve(Decimal("0.40"), build.NOW, deadline, DEFAULTS)
    assert Decimal("4.99") < reserve <= 5
    assert SKEW_S + DEFAULTS.reap_every_s <= DEFAULTS.overrun_reserve_s == 180


def test_the_measured_quote_and_the_bill_come_when_it_says(page):
    assert f"| {requote.NEEDED + requote.WARM_UP} steps | the first three left out" in page
    assert requote.WARM_UP == 3
    assert requote.GROUPS == 5
    assert timedelta(minutes=1) == requote.EVERY
    assert "Two hours after a machine's end" in page
    assert DEFAULTS.bill_lag_s == 2 * 3600
    assert "for seven days" in page
    assert timedelta(days=7) == settling.GIVEN_UP_AFTER
    assert "a day after the end" in page
    assert settling.FINAL_LAGS * DEFAULTS.bill_lag_s == 86400


def test_every_figure_it_names_is_in_the_status(page):
    named = set(re.findall(r"`([a-z_]+_usd|quote_error)`", page))
    assert len(named) == 7
    assert named <= set(TrainingStatus.model_fields)
