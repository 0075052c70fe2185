"""Jobs on the screen: the list, the state, the end."""

import io
import json
import re
from datetime import timedelta
from decimal import Decimal

import pytest
from rich.console import Console
from rich.text import Text

from podtune.app.machine_view import MachineView
from podtune.app.standing import Standing
from podtune.cli import job_view
from podtune.core.events import Metrics
from podtune.core.job import Requote, TerminationProof
from podtune.core.progress import Folded
from podtune.core.states import JobPhase, Outcome, WorkerStage
from podtune.core.wire import status_of
from podtune.workflow.intents import Intent
from support import build, rented_jobs

PROOF = TerminationProof(instance_id="1:2", ended=0, absent_at=build.NOW, method="looked [well]")
FACTS = {
    "first_loss": 4.0,
    "final_loss": 1.5,
    "first_validation_loss": 4.1,
    "final_validation_loss": 1.9,
    "steps": 80,
    "train_seconds": 100.0,
    "tokens_processed": 12345,
    "tokens_per_second": 123.0,
    "peak_memory_bytes": 2 * 1024**3,
}


def shown(render, *values):
    stream = io.StringIO()
    render(Console(file=stream, width=160, highlight=False), *values)
    return stream.getvalue()


def plain_text(markup):
    return Text.from_markup(markup).plain


def ended(outcome=Outcome.COMPLETED, **changes):
    return build.job(
        phase=JobPhase.DONE,
        outcome=outcome,
        finished_at=build.NOW + timedelta(seconds=90),
        proof=PROOF,
        **changes,
    )


def test_a_job_for_programs_has_no_plan():
    value = json.loads(json.dumps(job_view.job_json(ended())))
    assert "plan" not in value
    assert (value["id"], value["outcome"], value["phase"]) == ("demo-abc234", "completed", "done")


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_its_look(outcome):
    assert str(outcome) in job_view.state_of(ended(outcome))


def test_a_job_on_its_way_shows_its_phase():
    assert "training" in job_view.state_of(build.job(phase=JobPhase.TRAINING))
    leaving = build.job(phase=JobPhase.TERMINATING, outcome=Outcome.FAILED)
    assert "terminating" in job_view.state_of(leaving)


def test_the_list_has_a_line_for_each():
    text = shown(job_view.render_jobs, [ended(title="a [b]"), build.job(id="other-1")])
    lines = text.splitlines()
    assert len(lines) == 3
    assert "demo-abc234" in lines[1]
    assert "a [b]" in lines[1]
    assert "1 min 30 s" in lines[1]
    assert "other-1" in lines[2]


def test_the_list_fits_a_narrow_terminal():
    job = rented_jobs.job(phase=JobPhase.PROVISIONING, finished_at=build.NOW)
    rented = {job.id: Standing(job, Decimal("0.12"), None, build.NOW, 120.0)}
    stream = io.StringIO()
    job_view.render_jobs(Console(file=stream, width=80, highlight=False), [job], rented)
    _, line = stream.getvalue().splitlines()
    assert line.rstrip().endswith("$0.12 of $5.00")


def test_an_empty_list_is_no_error():
    assert "job" in shown(job_view.render_jobs, [])


def status_text(job, folded):
    return shown(job_view.render_status, job, status_of(job, folded.progress()), folded)


def test_the_state_of_a_running_job():
    folded = Folded(
        attempt=1,
        stage=WorkerStage.TRAINING,
        step=10,
        total_steps=40,
        epoch=1.25,
        metrics=Metrics(training_loss=2.0, validation_loss=2.2, throughput=50.0),
        losses=((1, 3.0), (10, 2.0)),
        facts={"train_tokens": 1000, "steps_per_epoch": 10},
    )
    text = status_text(build.job(phase=JobPhase.TRAINING), folded)
    for expected in ("10 of 40, epoch 1.25", "2.000", "2.200", "50 tokens/s", "1 min 00 s left"):
        assert expected in text


def test_the_state_of_a_failed_job_gives_reason_and_next_step():
    job = ended(
        Outcome.FAILED,
        error_code="worker_lost",
        error_message="gone [x]",
        advice="`podtune resume JOB`",
    )
    text = status_text(job, Folded())
    for expected in ("gone [x]", "worker_lost", "podtune resume demo-abc234", "looked [well]"):
        assert expected in text


def artifact(tmp_path, samples=1):
    said = [
        {"question": f"q{n} [x]?", "expected": "e", "before": "b " * 100, "after": "after"}
        for n in range(samples)
    ]
    (tmp_path / "samples.json").write_text(json.dumps(said))
    return tmp_path


def test_the_end_shows_figures_answers_and_the_next_step(tmp_path):
    folded = Folded(facts=FACTS, losses=((1, 4.0), (80, 1.5)))
    text = shown(job_view.render_end, ended(), folded, artifact(tmp_path))
    for expected in (
        "4.000 -> 1.500",
        "4.100 -> 1.900",
        "80 steps in 1 min 40 s",
        "12,345 tokens",
        "2.0 GiB",
        "q0 [x]?",
        "after",
        "podtune receipt demo-abc234 --verify",
        "podtune chat demo-abc234",
    ):
        assert expected in text


def test_the_end_without_held_out_rows_and_samples(tmp_path):
    facts = FACTS | {"final_validation_loss": None, "peak_memory_bytes": None}
    text = shown(job_view.render_end, ended(), Folded(facts=facts), tmp_path)
    assert "held-out" not in text
    assert "done" in text


def test_the_end_of_a_training_whose_figures_never_came(tmp_path):
    text = shown(job_view.render_end, ended(), Folded(), tmp_path)
    assert "a fresh process loaded the adapter" in text
    assert "loss" not in text


def test_the_path_of_the_adapter_is_whole_however_long(tmp_path):
    far = tmp_path / "/".join(["a-long-name-of-a-folder"] * 9)
    text = shown(job_view.render_end, ended(), Folded(), far)
    assert str(far) in re.sub(r"\s*│\s*", "", text)


def test_samples_are_read_or_absent(tmp_path):
    assert job_view.read_samples(tmp_path) == []
    (sample,) = job_view.read_samples(artifact(tmp_path))
    assert sample.after == "after"


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("short", 150, "short"),
        ("two\n\n  words", 150, "two words"),
        ("a long answer", 8, "a long …"),
        ("exactly", 7, "exactly"),
        ("unbroken", 4, "unbr …"),
    ],
)
def test_answers_are_cut_at_a_word(text, limit, short):
    assert job_view.shorten(text, limit) == short


def test_a_held_out_loss_that_rose_again_is_said_so(tmp_path):
    (tmp_path / "metrics.jsonl").write_text(
        '{"eval_loss": 3.2, "step": 0, "epoch": 0}\n'
        '{"eval_loss": 2.1, "step": 12, "epoch": 3.0}\n{"loss": 1.0, "step": 13}\n'
        '{"eval_loss": 2.7, "step": 24, "epoch": 6.0}\n'
    )
    said = job_view._risen(tmp_path, 2.7)
    assert "lowest 2.100 at step 12" in said
    assert "--epochs 3" in said
    assert job_view._risen(tmp_path, 2.15) == ""
    assert job_view._risen(tmp_path / "absent", 2.7) == ""


def rented(phase=JobPhase.TRAINING, view=None, **changes):
    return Standing(rented_jobs.job(phase, **changes), Decimal("0.12"), view, build.NOW, 120.0)


def test_a_rented_job_for_programs_has_its_money():
    standing = rented()._replace(spent=Decimal("0.1234567"))
    value = job_view.job_json(standing.job, standing)
    assert (value["cost_usd"], value["ceiling_usd"], value["quote_usd"]) == (0.123457, 5.0, 0.4)
    assert (value["billed_usd"], value["quote_error"]) == (None, None)
    assert "cost_usd" not in job_view.job_json(build.job())


def settled(usd="0.30", billed="0.25", **changes):
    """A completed job whose one machine is gone."""
    begun, now = build.NOW - timedelta(hours=1), build.NOW
    order = Intent("n", "demo-abc234", 1, begun, Decimal(usd), None, None, "pod1", now)
    if billed is not None:
        order = order._replace(billed_usd=Decimal(billed), settled_at=now)
    done = {"outcome": Outcome.COMPLETED, "intent_at": None, **changes}
    standing = rented(JobPhase.DONE, **done)
    return standing._replace(spent=order.usd(now), orders=[order])


def test_what_a_job_cost_in_the_end_stands_beside_its_receipt():
    lines = [plain_text(line) for line in job_view.settlement(settled())]
    assert lines == [
        "cost   $0.30 of $5.00",
        "quote  $0.40 by the plan; it cost 38 % less",
        "bill   $0.25 by RunPod's bill, $0.30 by our meter",
    ]
    (*_, last) = [plain_text(line) for line in job_view.settlement(settled(billed="0.50"))]
    assert last.startswith("RunPod billed $0.50, $0.20 more than our meter says: ")
    pending = [plain_text(line) for line in job_view.settlement(settled(billed=None))]
    assert pending[-1].endswith("RunPod's bill is not final yet, later commands ask for it")


def test_the_list_says_how_far_off_the_quote_was_and_what_was_billed_too_much():
    standing = settled(billed="0.50")
    text = shown(job_view.render_jobs, [standing.job], {standing.job.id: standing})
    assert "$0.40, +25 %" in text
    assert "demo-abc234: RunPod billed $0.50" in text


def test_the_state_of_a_job_that_will_not_be_done_in_time_says_so():
    requote = Requote(
        at=build.NOW, steps=20, seconds_per_step=2, usd=Decimal("7.1"),
        ends_at=build.NOW + timedelta(hours=9),
    )  # fmt: skip
    standing = rented(requote=requote)
    status = status_of(standing.job, Folded().progress(), standing.spent)
    text = shown(job_view.render_status, standing.job, status, Folded(), standing)
    for words in (
        "$0.40 by the plan; $7.10 in all, measured over 20 steps",
        "not all of it will be",
    ):
        assert words in text
    assert "$0.12 of the ceiling, until the machine is gone" in text


def test_the_list_shows_what_rented_jobs_cost_and_what_may_leak():
    standing = rented(JobPhase.TERMINATING, left_at=build.NOW - timedelta(minutes=5))
    text = shown(
        job_view.render_jobs, [standing.job, build.job(id="here")], {"demo-abc234": standing}
    )
    assert "$0.12 of $5.00" in text
    assert "LEAK RISK" in text
    assert "cost" not in shown(job_view.render_jobs, [build.job()])


def test_the_state_of_a_rented_job_shows_machine_money_and_end():
    standing = rented(
        JobPhase.PROVISIONING,
        MachineView(attempt=1, step="starting", detail="pulling 40 %", at=build.NOW),
    )
    status = status_of(standing.job, Folded().progress(), standing.spent)
    text = shown(job_view.render_status, standing.job, status, Folded(), standing)
    for words in ("$0.12 of $5.00, at $0.40/h", "pulling 40 %; pod pod1", "whatever happens"):
        assert words in text


def test_the_end_says_what_it_cost(tmp_path):
    standing = rented(JobPhase.DONE, intent_at=None)
    text = shown(job_view.render_end, standing.job, Folded(facts=FACTS), tmp_path, standing)
    assert "$0.12 of $5.00; the machine is gone" in text


def test_what_is_amiss_with_the_account_stands_in_a_job_s_state():
    standing = rented()._replace(amiss=("LEAK RISK $0.40/h: another", "RunPod could not be asked"))
    rows = list(job_view._rented_rows(standing, Folded()))
    assert [name for name, _ in rows].count("warning") == 2
