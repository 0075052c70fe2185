"""A job's page in parts: what may be done, money, findings, samples, receipt."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from podtune.app.asked import SubmissionState, Submitted
from podtune.app.desk import Desk
from podtune.app.machine_view import MachineView
from podtune.app.standing import Standing
from podtune.core.access import THIS_MACHINE, Principal, Scope
from podtune.core.dataset import Finding, Severity
from podtune.core.errors import SpecError
from podtune.core.events import Metrics
from podtune.core.handover import GpuUse
from podtune.core.job import Requote
from podtune.core.progress import Folded
from podtune.core.states import JobPhase, Outcome
from podtune.core.wire import status_of
from podtune.gateway.dashboard import job_view
from podtune.gateway.dashboard.curves import History, Note
from podtune.workflow.store import LogEntry
from support import build, homes, renting


@pytest.fixture
def desk(gateway):
    return Desk(gateway.service, THIS_MACHINE, gateway.app.state.parts.submissions)


def found(job=None, error=None):
    state = SubmissionState.REFUSED if error else SubmissionState.ACCEPTED
    return Submitted(
        id="demo-abc234", state=state, job=job, error=error, kind="cli", name=None, tenant=None,
        note={}, created_at=build.NOW,
    )  # fmt: skip


def status(job, **metrics):
    folded = Folded(metrics=Metrics(**metrics), step=3, total_steps=9)
    return status_of(job, folded.progress())


def standing(job, spent="1", **more):
    return Standing(job=job, spent=Decimal(spent), view=None, now=build.NOW, alarm_s=120)._replace(
        **more
    )


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        ({}, {"cancel"}),
        ({"phase": JobPhase.TRAINING}, {"cancel"}),
        ({"phase": JobPhase.DONE, "outcome": Outcome.COMPLETED}, {"download"}),
        ({"phase": JobPhase.DONE, "outcome": Outcome.FAILED}, {"resume"}),
        ({"phase": JobPhase.DONE, "outcome": Outcome.CANCELLED}, {"resume"}),
    ],
)
def test_what_may_be_done_follows_from_the_state(desk, changes, allowed):
    may = job_view.actions(desk, found(build.job(**changes)))
    assert {name for name, is_so in may.items() if is_so} == allowed


def test_what_may_be_done_follows_from_the_key(gateway):
    reader = Principal(tenant="acme", scopes=frozenset({Scope.READ}))
    desk = Desk(gateway.service, reader, gateway.app.state.parts.submissions)
    assert not any(job_view.actions(desk, found(build.job())).values())


def test_why_it_ended():
    failed = build.job(
        phase=JobPhase.DONE, outcome=Outcome.FAILED, error_message="no memory", error_code="out_of_memory",
        advice="podtune resume JOB",
    )  # fmt: skip
    told = job_view.ending(found(failed), status(failed))
    assert told == {
        "message": "no memory", "code": "out_of_memory", "advice": "podtune resume demo-abc234",
    }  # fmt: skip
    assert job_view.ending(found(build.job()), status(build.job())) == {}
    refused = SpecError("no such model", hint="look", code="unknown_model")
    assert job_view.ending(found(error=refused), status(build.job()))["advice"] == "look"


def test_leaks_come_first_and_nothing_twice():
    told = status(build.job()).model_copy(
        update={"warnings": ("careful", "LEAK RISK $1/h: x", "careful")}
    )
    assert job_view.warnings(told) == [("bad", "LEAK RISK $1/h: x"), ("some", "careful")]


def test_figures_that_nobody_measures_are_left_out():
    job = build.job(phase=JobPhase.TRAINING)
    assert job_view.figures(job, status(job), None, None) == []
    told = dict(job_view.figures(job, status(job, training_loss=2.5, throughput=1234.0), 9, None))
    assert told == {"step": "3 of 9", "loss": "2.500", "speed": "1,234 tokens/s"}


def test_the_card_of_a_rented_machine():
    job = build.job(phase=JobPhase.TRAINING, plan=renting.plan())
    card = GpuUse(util=93, memory_used_bytes=3 << 30, memory_total_bytes=24 << 30, power_w=211.4)
    view = MachineView(attempt=1, step="training", at=build.NOW, gpus=(card,))
    told = dict(job_view.figures(job, status(job), None, standing(job, view=view)))
    assert told == {"GPU": "93 %", "GPU memory": "3.0 GiB of 24.0 GiB", "power": "211 W"}


def test_money_against_its_ceiling():
    job = build.job(plan=renting.plan())
    told = job_view.costs(job, standing(job, "1.25"))
    assert (told.spent, told.ceiling) == (25, 100)
    assert told.words[0] == "$1.25 of $5.00"
    assert [name for _, name, _ in told.legend] == ["spent", "by the plan", "ceiling"]
    ends = build.NOW + timedelta(hours=1)
    requote = Requote(at=build.NOW, steps=20, seconds_per_step=1, usd=Decimal("7.5"), ends_at=ends)
    over = job_view.costs(job.model_copy(update={"requote": requote}), standing(job, "1.25"))
    assert over.forecast == 100
    assert over.ceiling == pytest.approx(66.67)
    assert over.legend[1][1:] == ("forecast", "$7.50")


def test_this_machine_costs_nothing():
    assert job_view.costs(build.job(), None).words[0].startswith("$0.00")


def test_what_a_rented_machine_does():
    job = build.job(plan=renting.plan(), phase=JobPhase.PROVISIONING, deadline=build.NOW)
    told = job_view.machine(standing(job), None)
    assert told[0].startswith("waiting for a machine")
    assert "whatever happens" in told[-1]
    assert job_view.machine(None, None) == []


def test_findings_of_one_kind_stand_together():
    def one(line):
        return Finding(
            code="empty_line", severity=Severity.WARNING, message="m", advice="a", line=line
        )

    report = build.report(findings=tuple(one(n) for n in range(1, 9)), counts={"empty_line": 1200})
    job = build.job(plan=build.plan(report=report))
    (kind,) = job_view.findings(job)
    assert (kind.number, kind.lines) == (1200, "1, 2, 3, 4, 5, 6 ...")


def test_events_of_workflow_and_worker_the_newest_first():
    history = History()
    history.notes.append(Note(build.NOW, "warning", "hot"))
    later = LogEntry(build.NOW + timedelta(seconds=1), 1, "done", "completed")
    assert [note.text for note in job_view.events([later], history)] == ["completed", "hot"]


@pytest.mark.parametrize("content", ["", "{", "[1]", '[{"question": 1}]', "null"])
def test_samples_that_are_none_are_none(tmp_path, content):
    assert job_view.samples(tmp_path) == []
    (tmp_path / "samples.json").write_text(content)
    assert job_view.samples(tmp_path) == []


def test_samples_are_read(tmp_path):
    one = {"question": "q", "expected": "e", "before": "b", "after": "a"}
    (tmp_path / "samples.json").write_text(json.dumps([one]))
    assert job_view.samples(tmp_path)[0].after == "a"


def test_a_receipt_that_holds_and_one_that_does_not(desk, gateway, job):
    assert job_view.receipt(desk, job) is None
    ended = homes.finish(gateway.settings, job)
    checked = job_view.receipt(desk, ended)
    assert checked.holds
    assert "the signature fits" in checked.words[0]
    card = gateway.service.folder(ended).artifact / "README.md"
    card.write_text("changed")
    checked = job_view.receipt(desk, ended)
    assert checked.holds is False
    assert "README.md" in checked.words[0]
    (card.parent / "receipt.json").write_text("{")
    assert job_view.receipt(desk, ended).signed is None


def test_a_large_artifact_is_compared_when_asked(desk, gateway, job, monkeypatch):
    ended = homes.finish(gateway.settings, job)
    monkeypatch.setattr(job_view, "CHECKED_BYTES", 1)
    assert job_view.receipt(desk, ended).holds is None
    assert job_view.receipt(desk, ended, whatever_size=True).holds
