"""A running job on the screen, with and without a terminal."""

import io
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from rich.console import Console

from podtune.app.machine_view import MachineView
from podtune.app.standing import Standing
from podtune.cli.watch_view import BLOCKS, sparkline, watch
from podtune.core.events import EventKind, Metrics, Task, TrainingEvent, WorkerResult
from podtune.core.handover import GpuUse
from podtune.core.job import Requote
from podtune.core.states import JobPhase, WorkerStage
from podtune.workflow.store import LogEntry
from support import build, rented_jobs

NOW = datetime(2026, 1, 2, tzinfo=UTC)
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def event(kind, stage=WorkerStage.TRAINING, attempt=1, **fields):
    return TrainingEvent(
        job="demo", attempt=attempt, seq=0, time=NOW, kind=kind, stage=stage, **fields
    )


def step(n, loss=2.0, total=20, attempt=1, **metrics):
    return event(
        EventKind.STEP,
        attempt=attempt,
        step=n,
        total_steps=total,
        metrics=Metrics(training_loss=loss, **metrics),
    )


def task(done, total, name="download", unit="bytes"):
    found = Task(name=name, done=done, total=total, unit=unit)
    return event(EventKind.TASK, WorkerStage.DOWNLOADING, task=found)


def plain(*events):
    stream = io.StringIO()
    watch(Console(file=stream, width=120, highlight=False), events)
    return stream.getvalue().splitlines()


def live(*events, width=120):
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=True, color_system=None)
    watch(console, events)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("values", "width", "drawn"),
    [
        ([], 24, ""),
        ([4, 3, 2, 1], 4, "█▆▃▁"),
        ([1.0], 24, "▁"),
        ([2.0, 2.0], 24, "▁▁"),
        ([4, 4, 1, 1], 2, "█▁"),
    ],
)
def test_a_curve_in_blocks(values, width, drawn):
    assert sparkline(values, width) == drawn


@pytest.mark.parametrize("number", [1, 7, 24, 25, 100, 1001])
def test_a_curve_is_never_wider_than_asked(number):
    drawn = sparkline([float(n % 13) for n in range(number)])
    assert len(drawn) == min(24, number)
    assert set(drawn) <= set(BLOCKS)


def test_without_a_terminal_each_tenth_is_said_once():
    events = [step(n, total=100) for n in range(1, 101)]
    lines = plain(*events)
    assert len(lines) == 11
    assert lines[0].startswith("train: 1/100")
    assert lines[-1].startswith("train: 100/100")


def test_a_download_is_told_in_bytes():
    mib = 1024**2
    lines = plain(*(task(n * mib, 200 * mib) for n in range(0, 201, 5)))
    assert len(lines) == 11
    assert lines[-1] == "download: 200 MiB of 200 MiB"


def test_a_task_without_a_total_is_said_once():
    assert len(plain(task(1, None), task(2, None), task(3, None))) == 1


def test_a_task_in_other_units():
    assert plain(task(4, 8, "answers before", "answers")) == ["answers before: 4/8 answers"]


def test_the_figures_of_a_step():
    facts = event(EventKind.FACTS, facts={"train_tokens": 1000, "steps_per_epoch": 10})
    (line,) = plain(facts, step(2, 1.234, throughput=100.0, validation_loss=2.5))
    for expected in ("2/20", "loss 1.234", "held-out 2.500", "100 tokens/s", "0:18 left"):
        assert expected in line


def test_stages_are_named_once():
    lines = plain(
        event(EventKind.STAGE, WorkerStage.SAVING),
        event(EventKind.STAGE, WorkerStage.PROVING),
        event(EventKind.STAGE, WorkerStage.PROVING),
        event(EventKind.RESULT, WorkerStage.UPLOADING, result=WorkerResult(ok=True)),
    )
    assert lines == ["save adapter", "prove in a fresh process"]


def test_a_second_attempt_and_its_checkpoint_are_said():
    resumed = event(EventKind.CHECKPOINT, attempt=2, step=12, message="resumed")
    lines = plain(step(15), resumed, step(13, attempt=2))
    assert "attempt 2" in lines
    assert "resumed from step 12" in lines
    assert sum(line.startswith("train:") for line in lines) == 2


def test_a_warning_is_a_note_said_once_and_no_markup():
    warning = event(EventKind.WARNING, message="loss is [odd]")
    assert plain(warning, warning) == ["note loss is [odd]"]


def test_a_terminal_shows_bars_and_the_last_figures():
    text = live(
        task(5, 10, "tokenise", "rows"),
        step(20, 1.5),
        event(EventKind.STAGE, WorkerStage.SAVING),
        event(EventKind.RESULT, WorkerStage.UPLOADING, result=WorkerResult(ok=True)),
    )
    for expected in ("tokenise", "20/20", "save adapter"):
        assert expected in text


def test_a_failure_is_no_error_of_the_screen():
    failed = WorkerResult(ok=False, error_code="x")
    assert live(step(1), event(EventKind.RESULT, result=failed))


def entry(message):
    return LogEntry(NOW, 1, "provisioning", message)


def standing(step="starting", phase=JobPhase.PROVISIONING, **changes):
    seen = MachineView(attempt=1, step=step, at=build.NOW, **changes)
    return Standing(rented_jobs.job(phase), Decimal("0.12"), seen, build.NOW, 120.0)


def test_the_way_to_a_machine_is_told_in_plain_words():
    lines = plain(
        entry("submitted"),
        entry("A40 had none free, trying RTX A6000 at $0.60 an hour"),
        standing(detail="pulling runpod/pytorch"),
        standing(detail="pulling runpod/pytorch"),
        *(
            standing(
                "receiving", detail="sending the work", done_bytes=n * 10**6, total_bytes=4 * 10**7
            )
            for n in range(0, 41, 2)
        ),
        step(1),
        standing("training", JobPhase.TRAINING),
    )
    text = "\n".join(lines)
    assert "submitted" not in text
    assert "A40 had none free, trying RTX A6000" in lines[0]
    assert text.count("pulling runpod/pytorch") == 1
    assert 5 <= text.count("sending the work") <= 11
    assert lines[-1].startswith("train: 1/20")


def test_a_terminal_shows_load_and_money():
    card = GpuUse(util=93, memory_used_bytes=2**30, memory_total_bytes=2**31)
    text = live(standing(detail="pulling"), standing("training", JobPhase.TRAINING, gpus=(card,)))
    assert "pulling" in text
    assert "GPU 93 %" in text
    assert "$0.12 of $5.00, at $0.40/h" in text


def test_the_money_line_has_the_warning_and_what_was_measured():
    seen = standing("training", JobPhase.TRAINING)
    requote = Requote(
        at=build.NOW, steps=20, seconds_per_step=2, usd=Decimal("4.71"), ends_at=build.NOW
    )
    job = seen.job.model_copy(update={"warned_at": build.NOW, "requote": requote})
    text = live(seen._replace(job=job, spent=Decimal("4.05")))
    assert "$4.05 of $5.00, at $0.40/h; 81 % of the ceiling  $4.71 in all, measured" in text


@pytest.mark.parametrize("width", [80, 120])
def test_no_bar_wraps(width):
    card = GpuUse(util=100, memory_used_bytes=70 * 2**30, memory_total_bytes=80 * 2**30)
    text = live(
        step(9, 1.234, 3000, throughput=16936.0, validation_loss=1.5),
        event(EventKind.STAGE, WorkerStage.PROVING),
        standing(detail="machine starts: create container runpod/pytorch:1.0.3-cu1281-torch291"),
        standing("training", JobPhase.TRAINING, gpus=(card,)),
        width=width,
    )
    drawn = [line.rstrip() for line in CONTROL.sub("", text).splitlines()]
    last = [line for line in drawn if line][-4:]
    assert [line.split()[1] for line in last] == ["train", "prove", "machine", "rented"]
    assert last[2].endswith("GPU 100 %, 70.0 GiB")
    assert last[3].endswith("$0.12 of $5.00, at $0.40/h")
    assert all(len(line) <= width for line in last)


def test_a_hint_is_said_once():
    card = GpuUse(util=0, memory_used_bytes=0, memory_total_bytes=80 * 2**30)
    seen = standing("training", JobPhase.TRAINING, gpus=(card,))
    quiet = seen._replace(now=build.NOW + timedelta(minutes=5))
    assert live(quiet, quiet).count("by the card's load: initializing") == 1


def test_a_leak_risk_is_said():
    left = standing(phase=JobPhase.TERMINATING)
    job = left.job.model_copy(update={"left_at": build.NOW - timedelta(minutes=5)})
    assert any("LEAK RISK $0.40/h" in line for line in plain(left._replace(job=job)))


def test_what_is_amiss_with_the_account_is_said_once():
    seen = standing("training", JobPhase.TRAINING)._replace(amiss=("LEAK RISK $9.00/h: another",))
    assert sum("LEAK RISK $9.00/h" in line for line in plain(seen, seen)) == 1
