"""What a job will cost by its measured steps: late enough, steady, and never by two clocks."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.app import requote
from podtune.app.requote import EVERY, NEEDED, WARM_UP, Measured, Requotes, Span, fold
from podtune.core.events import EventKind, TrainingEvent
from podtune.core.states import WorkerStage
from podtune.planning import price
from podtune.workflow.intents import Intent
from support import build, rented_jobs

JOB = rented_jobs.job()
NOW = build.NOW + timedelta(hours=1)
TOTAL = 200
ENOUGH = NEEDED + WARM_UP


def order(usd="0.40", absent=None, instance="pod1"):
    return Intent("n", JOB.id, 1, build.NOW, Decimal(usd), None, None, instance, absent)


class Worker:
    """Says its steps, by a clock of its own that is far from ours."""

    def __init__(self, attempt=1):
        self.now = build.NOW - timedelta(days=400)
        self.attempt, self.seq, self.step = attempt, 0, 0
        self.said = []

    def says(self, kind, after=0.0, **fields):
        self.now += timedelta(seconds=after)
        fields = {"stage": WorkerStage.TRAINING} | fields
        self.said.append(
            TrainingEvent(
                job=JOB.id, attempt=self.attempt, seq=self.seq, time=self.now, kind=kind, **fields
            )
        )
        self.seq += 1
        return self

    def steps(self, count, seconds=2.0, each=1):
        for _ in range(count):
            self.step += each
            self.says(EventKind.STEP, seconds, step=self.step, total_steps=TOTAL)
        return self

    def loads(self, resumed=None):
        self.says(EventKind.STAGE, 30, stage=WorkerStage.LOADING)
        if resumed is not None:
            self.step = resumed
            self.says(EventKind.CHECKPOINT, step=resumed, message="resumed")
        return self.says(EventKind.STAGE, 5)

    def measured(self):
        return fold(self.said)


def test_nothing_is_told_before_enough_steps():
    worker = Worker().loads().steps(ENOUGH - 1)
    assert requote.make(JOB, worker.measured(), [order()], NOW) is None
    worker.steps(1)
    made = requote.make(JOB, worker.measured(), [order()], NOW)
    assert (made.steps, made.seconds_per_step, made.at) == (NEEDED, 2.0, NOW)


def test_it_is_what_was_spent_the_rest_of_the_steps_and_what_follows_them():
    made = requote.make(JOB, Worker().loads().steps(ENOUGH).measured(), [order()], NOW)
    rest = (TOTAL - ENOUGH) * 2.0
    tail = price.tail_s(JOB.plan.time, JOB.plan.memory.adapter_parameters)
    assert tail > price.END_S.p50
    assert made.usd == Decimal("0.40") + price.dollars(Decimal("0.40"), rest + tail)
    assert made.ends_at == NOW + timedelta(seconds=rest + tail)


def test_every_machine_before_counts_and_the_price_is_the_one_that_is_metered():
    gone = order("0.10", absent=build.NOW + timedelta(minutes=30), instance="pod0")
    dear = order("0.80")
    measured = Worker().loads().steps(ENOUGH).measured()
    one = requote.make(JOB, measured, [order()], NOW)
    both = requote.make(JOB, measured, [gone, dear], NOW)
    rest = one.usd - Decimal("0.40")
    assert both.usd == pytest.approx(
        Decimal("0.05") + Decimal("0.80") + 2 * rest, abs=Decimal("0.001")
    )


def test_nothing_is_told_once_no_step_is_left():
    worker = Worker().loads().steps(TOTAL)
    assert worker.measured().steps > NEEDED
    assert requote.make(JOB, worker.measured(), [order()], NOW) is None


@pytest.mark.parametrize("slow", [3.0, 60.0])
def test_the_first_steps_are_left_out(slow):
    worker = Worker().loads().steps(WARM_UP, slow).steps(NEEDED)
    assert requote.seconds_per_step(worker.measured().spans) == 2.0


def test_a_stall_is_not_carried_on_into_the_rest():
    worker = Worker().loads().steps(ENOUGH).steps(1, 600).steps(NEEDED)
    assert requote.seconds_per_step(worker.measured().spans) == 2.0


def test_what_comes_again_and_again_between_steps_counts():
    worker = Worker().loads().steps(WARM_UP)
    for _ in range(20):
        worker.steps(4).says(EventKind.EVALUATION, 6, step=worker.step).steps(1)
    each = requote.seconds_per_step(worker.measured().spans)
    assert each == pytest.approx((5 * 2 + 6) / 5)


def test_a_model_that_is_loaded_again_is_measured_anew():
    worker = Worker().loads().steps(60, 1.0).loads(resumed=50).steps(ENOUGH - 1, 4.0)
    assert requote.make(JOB, worker.measured(), [order()], NOW) is None
    worker.steps(1, 4.0)
    made = requote.make(JOB, worker.measured(), [order()], NOW)
    assert (made.seconds_per_step, made.steps) == (4.0, NEEDED)


def test_another_attempt_is_measured_anew_and_the_one_before_says_nothing_more():
    first, second = Worker().loads().steps(60), Worker(attempt=2).loads().steps(5)
    found = fold([*first.said, *second.said, *first.steps(1).said[-1:]])
    assert (found.attempt, found.step, found.steps) == (2, 5, 5 - WARM_UP)


def test_steps_that_are_told_rarely_or_late_count_as_many():
    worker = Worker().loads().steps(9, 20.0, each=10)
    assert requote.seconds_per_step(worker.measured().spans) == 2.0
    whole = Worker().loads().steps(40)
    lost = fold(e for e in whole.said if e.step not in range(10, 15))
    assert requote.seconds_per_step(lost.spans) == 2.0
    late = fold([*whole.said, *whole.said[20:25]])
    assert late == whole.measured(), "what a gap in a log held back says nothing of speed"


def test_a_clock_that_was_set_back_is_passed_by():
    worker = Worker().loads().steps(ENOUGH).steps(1, -3600).steps(1)
    assert requote.seconds_per_step(worker.measured().spans) == 2.0


@given(
    seconds=st.lists(st.floats(0.001, 1e4), min_size=ENOUGH, max_size=120),
    breaks=st.sets(st.integers(0, 119), max_size=4),
    spent_h=st.floats(0, 50),
)
def test_whatever_was_measured_the_figure_is_a_possible_one(seconds, breaks, spent_h):
    worker = Worker().loads()
    for n, each in enumerate(seconds):
        if n in breaks:
            worker.loads(resumed=worker.step)
        worker.steps(1, each)
    measured, now = worker.measured(), build.NOW + timedelta(hours=spent_h)
    made = requote.make(JOB, measured, [order()], now)
    assert (made is not None) == (measured.steps >= NEEDED)
    if made is None:
        return
    spans = [span.seconds for span in measured.spans]
    assert min(spans) * 0.999 <= made.seconds_per_step <= max(spans) * 1.001
    left = (TOTAL - len(seconds)) * made.seconds_per_step
    assert made.usd >= order().usd(now) + Decimal("0.40") * Decimal(left) / 3600
    assert made.ends_at >= now + timedelta(seconds=left)
    assert measured.steps <= len(seconds) - WARM_UP


@given(steps=st.integers(NEEDED, 300), each=st.floats(0.01, 1e3))
def test_steady_steps_give_their_own_length(steps, each):
    assert requote.seconds_per_step([Span(1, each)] * steps) == pytest.approx(each)


@given(cut=st.integers(0, 60))
def test_events_may_come_in_pieces(cut):
    said = Worker().loads().steps(50).said
    assert fold(said[cut:], fold(said[:cut])) == fold(said)


def test_only_the_newest_spans_are_kept():
    worker = Worker().loads().steps(requote.WINDOW + 50)
    assert len(worker.measured().spans) == requote.WINDOW
    assert fold([]) == Measured()


class Bench:
    def __init__(self, path):
        self.path, self.now, self.asked = path, NOW, 0
        self.requotes = Requotes(lambda: self.now)

    def tell(self, worker):
        text = "".join(event.line() + "\n" for event in worker.said)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(text)
        worker.said.clear()

    def orders(self):
        self.asked += 1
        return [order()]

    def look(self, job=JOB):
        return self.requotes.now_and_then(job, self.path, self.orders)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "events.jsonl")


def test_a_job_is_looked_at_until_it_has_a_figure_then_once_a_minute(bench):
    worker = Worker().loads().steps(ENOUGH - 1)
    assert bench.look() is None, "nothing is there yet"
    bench.tell(worker)
    assert bench.look() is None
    assert bench.asked == 0, "the store is not asked before it is needed"
    bench.tell(worker.steps(1))
    assert bench.look().steps == NEEDED
    bench.tell(worker.steps(5))
    assert bench.look() is None
    bench.now += EVERY
    assert bench.look().steps == NEEDED + 5
    assert bench.asked == 2


def test_a_driver_that_begins_in_the_middle_reads_all_of_it(bench):
    bench.tell(Worker().loads().steps(40))
    assert bench.look().steps == 40 - WARM_UP
    bench.requotes.forget(JOB)
    assert bench.look().steps == 40 - WARM_UP


def test_an_attempt_without_steps_of_its_own_has_no_figure(bench):
    bench.tell(Worker().loads().steps(40))
    assert bench.look(JOB.model_copy(update={"attempt": 2})) is None
