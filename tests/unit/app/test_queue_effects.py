"""What the phases of a serverless job do, with RunPod's far side and the store in memory."""

import json
from datetime import timedelta

import pytest

from podtune.app import machine_view, staged_bundle
from podtune.app.queue_effects import HOPELESS_AFTER, QueueEffects, QueueTools
from podtune.app.settings import Settings
from podtune.core.errors import DoubtfulError, ProviderError
from podtune.core.handover import DeliveredResult
from podtune.core.job import Instance, TerminationProof
from podtune.core.states import Desired, JobPhase
from podtune.providers.runpod.endpoints import Diagnosis, Wait
from podtune.providers.runpod.orders import OrderBook
from podtune.providers.runpod.queue import QueueJob
from podtune.providers.runpod.queue_provider import placed
from podtune.storage.places import StoreKey
from podtune.workflow.folder import EventTail
from support import build
from support.queued_jobs import DEADLINE, ENDPOINT, JOB_ID, NAME, Store, job

JOB = job()
KEY = StoreKey(JOB.id, 1)
MARK = json.dumps({"external_job_id": "abc-u1"}).encode()


class Provider:
    """RunPod's queue with one job."""

    def __init__(self):
        self.seen, self.launched, self.error, self.ended = None, [], None, []

    def launch(self, request):
        self.launched.append(request)
        if self.error:
            raise self.error
        return Instance(id=JOB_ID, name=request.name, started_at=build.NOW)

    def look(self, instance_id):
        assert instance_id == JOB_ID
        return self.seen

    def end(self, instance_id, rests_s):
        self.ended.append((instance_id, rests_s))
        return TerminationProof(instance_id=instance_id, absent_at=build.NOW, method="over")


class Bench:
    def __init__(self, tmp_path):
        self.now = build.NOW
        self.settings = Settings(home=tmp_path)
        self.folder = self.settings.jobs / JOB.id
        (self.folder / "data").mkdir(parents=True)
        (self.folder / "data" / "train.jsonl").write_text("{}\n")
        self.provider, self.store = Provider(), Store()
        self.begun, self.found, self.asked = [], None, 0
        tools = QueueTools(
            lambda: self.now, lambda job: [], store=lambda job: self.store,
            begun=lambda job, name, at: self.begun.append((name, at)), diagnose=self.diagnose,
            image=lambda endpoint: "me/worker:1",
        )  # fmt: skip
        self.effects = QueueEffects(self.settings, self.provider, tools)

    def diagnose(self, endpoint):
        assert endpoint == ENDPOINT
        self.asked += 1
        return self.found

    def shows(self, status, **more):
        self.provider.seen = QueueJob(id="abc-u1", status=status, **more)

    def later(self, seconds):
        self.now += timedelta(seconds=seconds)

    def view(self):
        return machine_view.read(self.folder)

    def events(self):
        return list(EventTail(self.folder / "events.jsonl").read())

    def doubt(self):
        """As a driver that died while it sent the order."""
        OrderBook(self.folder).begin(NAME, build.NOW)
        self.provider.error = DoubtfulError("lost")


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    made.effects.stage(JOB)
    return made


def result(ok=True, **more):
    return DeliveredResult(job=JOB.id, attempt=1, ok=ok, **more)


def test_the_work_is_in_the_store_before_anything_is_ordered(bench):
    assert (bench.folder / staged_bundle.FILE).is_file()
    assert bench.store.sent == [(KEY, build.NOW + timedelta(hours=1))]
    made = bench.effects.launch(JOB.model_copy(update={"instance_id": None}))
    assert made.id == JOB_ID
    assert bench.store.sent[-1] == (KEY, DEADLINE), "the address lives as long as the job may"
    (request,) = bench.provider.launched
    assert request.queued.endpoint == ENDPOINT
    assert "T" not in request.environment


def test_an_order_whose_answer_was_lost_is_adopted_by_its_mark(bench):
    bench.doubt()
    with pytest.raises(DoubtfulError):
        bench.effects.launch(JOB)
    assert bench.provider.launched[-1].queued is None, "never sent again"
    bench.store.marks[KEY] = MARK
    assert bench.effects.launch(JOB).id == JOB_ID
    assert placed(bench.folder, NAME).id == JOB_ID


def test_a_lost_order_that_has_not_begun_is_called_back_with_its_bundle(bench):
    bench.doubt()
    without = JOB.model_copy(update={"instance_id": None})
    assert bench.effects.terminate(without) is None
    assert len(bench.store.forgotten) == 1
    bench.later(59)
    assert bench.effects.terminate(without) is None
    bench.later(1)
    proof = bench.effects.terminate(without)
    assert (proof.instance_id, proof.ended) == (None, 0)
    assert bench.provider.ended == [], "there is nothing to end"
    assert OrderBook(bench.folder).open_since(NAME) is None


def test_one_that_began_in_the_last_moment_is_ended_by_its_mark(bench):
    bench.doubt()
    without = JOB.model_copy(update={"instance_id": None})
    assert bench.effects.terminate(without) is None
    bench.store.marks[KEY] = MARK
    bench.later(60)
    assert bench.effects.terminate(without).instance_id == JOB_ID
    assert bench.provider.ended == [(JOB_ID, 60)]


def test_the_end_waits_for_the_workers_idle_time_and_takes_the_rows_away(bench):
    proof = bench.effects.terminate(JOB)
    assert proof.method == "over"
    assert bench.provider.ended == [(JOB_ID, 60)]
    assert bench.store.forgotten
    assert not (bench.folder / staged_bundle.FILE).exists()
    assert bench.view().step == "gone"


def test_a_job_that_waits_says_why(bench):
    bench.shows("IN_QUEUE")
    assert bench.effects.hand_over(JOB).said == ""
    bench.later(20)
    bench.found = Diagnosis(Wait.NO_CAPACITY, "no card is free", "wait")
    heard = bench.effects.hand_over(JOB)
    assert (heard.accepted, heard.at, heard.said) == (False, None, "no card is free")
    assert "no card is free" in bench.view().detail
    asked = bench.asked
    bench.later(5)
    bench.effects.hand_over(JOB)
    assert bench.asked == asked, "RunPod is asked now and then"


def test_a_queue_that_never_moves_is_given_up_after_a_while(bench):
    bench.shows("IN_QUEUE")
    bench.found = Diagnosis(Wait.CRASH_LOOP, "workers fail", "read the log")
    bench.effects.hand_over(JOB)
    bench.later(60)
    bench.found = Diagnosis(Wait.STARTING, "one starts", "")
    bench.effects.hand_over(JOB)
    bench.later(20)
    bench.found = Diagnosis(Wait.CRASH_LOOP, "workers fail", "read the log")
    bench.effects.hand_over(JOB)
    bench.later(HOPELESS_AFTER.total_seconds() - 1)
    bench.effects.hand_over(JOB)
    bench.later(20)
    with pytest.raises(ProviderError, match="workers fail") as raised:
        bench.effects.hand_over(JOB)
    assert (raised.value.code, raised.value.hint) == ("crash_loop", "read the log")


def test_a_worker_that_takes_it_begins_the_meter(bench):
    bench.later(100)
    bench.shows("IN_PROGRESS", delay_time=90_000.0, output={"current_step": 4, "phase": "training"})
    heard = bench.effects.hand_over(JOB)
    began = build.NOW + timedelta(seconds=90)
    assert (heard.accepted, heard.at, heard.began) == (True, bench.now, began)
    assert bench.begun == [(NAME, began)]
    assert [e.step for e in bench.events() if e.step] == [4]


@pytest.mark.parametrize("delay_ms", [None, 10.0**9, -5.0])
def test_a_wait_that_cannot_be_is_not_believed(bench, delay_ms):
    bench.shows("IN_PROGRESS", delay_time=delay_ms)
    assert bench.effects.pull(JOB).began <= bench.now


def test_what_it_left_in_its_store_is_its_outcome(bench):
    bench.shows("COMPLETED", output={"current_step": 6, "phase": "uploading"})
    bench.store.result = result(files={"a": "b" * 64})
    assert bench.effects.pull(JOB).accepted
    assert bench.events()[-1].result.ok


@pytest.mark.parametrize("status", [None, "TIMED_OUT"])
def test_one_that_left_nothing_was_searched_for(bench, status):
    if status:
        bench.shows(status)
    heard = bench.effects.pull(JOB)
    assert (heard.searched, heard.at) == (True, None)


def test_completed_without_a_result_is_a_failure(bench):
    bench.shows("COMPLETED", output={"adapter_path": "x"})
    assert bench.effects.pull(JOB).accepted
    assert bench.events()[-1].result.error_code == "result_missing"


def test_one_given_out_anew_is_waited_for(bench):
    bench.shows("IN_QUEUE")
    heard = bench.effects.pull(JOB)
    assert (heard.at, heard.accepted) == (bench.now, False)


def test_at_the_limits_the_checkpoint_comes_by_the_store(bench):
    running = JOB.model_copy(update={"phase": JobPhase.TRAINING})
    bench.shows("IN_PROGRESS")
    assert not bench.effects.salvage(running).saved, "it saves by itself"
    bench.shows("FAILED")
    bench.store.result = result(ok=False, error_code="timed_out")
    bench.store.checkpoint = "checkpoint-40"
    assert bench.effects.salvage(running).saved
    assert (bench.folder / "checkpoints" / "checkpoint-40" / "complete.json").is_file()


def test_a_wish_to_cancel_waits_for_nothing(bench):
    bench.shows("IN_PROGRESS")
    assert bench.effects.salvage(JOB.model_copy(update={"desired": Desired.CANCELLED})).saved


def test_the_adapter_comes_from_the_store(bench):
    assert bench.effects.fetch(JOB) is False
    bench.store.artifact = b"weights"
    assert bench.effects.fetch(JOB) is True
    assert (bench.folder / "artifact" / "a").read_bytes() == b"weights"
    bench.effects.release(JOB)


def test_a_picture_that_cannot_be_written_stops_nothing(bench):
    (bench.folder / machine_view.FILE).mkdir()
    bench.shows("IN_QUEUE")
    assert bench.effects.hand_over(JOB) is not None
