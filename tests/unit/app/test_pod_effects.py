"""What the phases of a rented job do, with the machine's far side in memory."""

import dataclasses
import json
import shutil
from datetime import timedelta
from decimal import Decimal

import httpx2
import pytest
from pydantic import SecretStr

from podtune.app import machine_view, pod_order
from podtune.app.pod_effects import PodEffects, Tools
from podtune.app.requote import NEEDED, WARM_UP
from podtune.app.settings import Settings
from podtune.app.staged_bundle import FILE as BUNDLE
from podtune.core.errors import (
    ConflictError,
    CredentialsError,
    DoubtfulError,
    ProviderError,
    UnavailableError,
)
from podtune.core.events import EventKind, TrainingEvent
from podtune.core.handover import (
    Address,
    BundleByHttps,
    DeliverByPut,
    DeliveredResult,
    RemoteCheckpoint,
    RemoteFile,
    signed_line,
)
from podtune.core.job import WorkerOrder
from podtune.core.states import JobPhase, WorkerStage
from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.orders import OrderBook
from podtune.storage import artifact_folder
from podtune.storage.places import DirectStore, StoreKey
from podtune.workflow.folder import EventTail
from podtune.workflow.intents import Intent
from podtune.workflow.steps import Heard
from support import artifacts, build, homes, rented_jobs
from support.runpod_account import KEY, Time

JOB = rented_jobs.job()
SUM = "0" * 64


class Store(DirectStore):
    """A store that brings the bundle itself and takes the artifact."""

    def __init__(self):
        self.kept, self.removed, self.result, self.artifact = [], [], None, None

    def send(self, bundle, sha256, key, expires_at, on_progress=None):
        return BundleByHttps(sha256=sha256, bytes=bundle.stat().st_size, url=SecretStr("https://x"))

    def ticket(self, key, expires_at):
        return DeliverByPut(archive=Address(url="https://a"), result=Address(url="https://r"))

    def outcome(self, key):
        return self.result

    def fetch(self, key, into):
        if self.artifact is None:
            return None
        (into / "artifact").mkdir(parents=True)
        (into / "artifact" / "a").write_bytes(self.artifact)
        return into / "artifact"

    def keep(self, key, folder):
        self.kept.append(folder)

    def remove(self, key, bundle_sha256=None):
        self.removed.append(bundle_sha256)


class Bench:
    def __init__(self, tmp_path):
        self.now = build.NOW
        self.settings = Settings(home=tmp_path)
        self.folder = self.settings.jobs / JOB.id
        (self.folder / "data").mkdir(parents=True)
        (self.folder / "data" / "train.jsonl").write_text("{}\n")
        self.port, self.pods, self.store = rented_jobs.Port(), rented_jobs.Pods(), DirectStore()
        self.orders, self.log_lines = [], []
        time = Time()
        access = RunPodAccess(SecretStr(KEY))
        client = RunPodClient(
            access, transport=httpx2.MockTransport(self.answer),
            sleep=time.sleep, clock=time.monotonic,
        )  # fmt: skip
        tools = Tools(
            lambda: self.now, lambda job: self.orders, port=self.port, store=lambda job: self.store
        )
        self.effects = PodEffects(self.settings, self.pods, client, access, tools)

    def answer(self, request):
        data = "".join(
            f"id: {n}\ndata: {json.dumps({'source': 'container', 'line': line, 'ts': 't'})}\n\n"
            for n, line in enumerate(self.log_lines)
        )
        return httpx2.Response(200, content=data.encode())

    def event(self, seq):
        return TrainingEvent(
            job=JOB.id, attempt=1, seq=seq, time=build.NOW, kind=EventKind.STEP,
            stage=WorkerStage.TRAINING, step=seq,
        ).line()  # fmt: skip

    def numbers(self):
        return [e.seq for e in EventTail(self.folder / "events.jsonl").read()]

    def view(self):
        return machine_view.read(self.folder)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def file(name, content=b"x"):
    return RemoteFile(name=name, bytes=len(content), sha256=SUM)


def test_staging_writes_order_and_bundle(bench):
    bench.effects.stage(JOB)
    order = WorkerOrder.model_validate_json((bench.folder / "order.json").read_bytes())
    assert (order.job, order.attempt) == (JOB.id, 1)
    assert (bench.folder / BUNDLE).stat().st_size > 10_000


def test_a_machine_is_ordered_under_the_job_s_name(bench):
    made = bench.effects.launch(JOB)
    (request,) = bench.pods.requests
    assert (made.id, request.name) == ("pod1", rented_jobs.NAME)
    assert request.machine.offer.gpu == "NVIDIA A40"
    assert bench.view().detail == "pod pod1 is starting"


def test_the_work_is_handed_over_once_the_machine_answers(bench):
    bench.effects.stage(JOB)
    bench.port.answers = False
    assert bench.effects.hand_over(JOB) == Heard(log_read=True)
    assert bench.view().step == "starting"
    bench.port.answers = True
    assert bench.effects.hand_over(JOB) == Heard(accepted=True, at=build.NOW)
    (said,) = bench.port.handed
    assert said.bundle.via == "port"
    assert bench.port.bundle == (bench.folder / BUNDLE).read_bytes()
    assert said.event_key == pod_order.event_key(bench.settings.home, JOB)
    assert bench.port.token == pod_order.token(bench.settings.home, JOB)
    assert bench.port.url == "https://pod1-8466.proxy.runpod.net"
    assert bench.view().done_bytes == bench.view().total_bytes > 0


@pytest.mark.parametrize("phase", ["training", "finished", "failed", "held"])
def test_an_attempt_that_began_never_gets_its_bundle_again(bench, phase):
    bench.port.phase = phase
    assert bench.effects.hand_over(JOB).accepted
    assert bench.port.asked == ["status"]


def test_a_machine_that_began_in_the_meantime_is_adopted_and_another_s_is_not(bench):
    bench.effects.stage(JOB)
    bench.port.refuses = ConflictError("begun", code="pod_begun")
    assert bench.effects.hand_over(JOB).accepted
    bench.port.refuses = ConflictError("another", code="pod_another")
    with pytest.raises(ConflictError):
        bench.effects.hand_over(JOB)


def test_a_store_that_brings_the_bundle_spares_the_port(bench):
    bench.store = Store()
    bench.effects.stage(JOB)
    assert bench.effects.hand_over(JOB).accepted
    assert "send_bundle" not in bench.port.asked


def test_following_brings_events_and_output_here_once(bench):
    bench.port.phase = "training"
    bench.port.events_there = f"{bench.event(0)}\n{bench.event(1)}\n{{half".encode()
    bench.port.log_there = b"one\n"
    assert bench.effects.pull(JOB).at == build.NOW
    bench.port.events_there = f"{bench.event(0)}\n{bench.event(1)}\n{bench.event(2)}\n".encode()
    bench.port.log_there += b"two\n"
    bench.effects.pull(JOB)
    bench.effects.pull(JOB)
    assert bench.numbers() == [0, 1, 2]
    assert (bench.folder / "worker.log").read_bytes() == b"one\ntwo\n"
    assert bench.view().step == "training"


def test_a_machine_whose_port_is_gone_is_followed_by_its_log(bench):
    key = pod_order.event_key(bench.settings.home, JOB).get_secret_value()
    bench.port.answers = False
    assert bench.effects.pull(JOB).at is None, "silence is silence"
    bench.now += timedelta(minutes=1)
    bench.log_lines = ["podtune: training", signed_line(bench.event(0), key)]
    assert bench.effects.pull(JOB).at == bench.now
    assert bench.numbers() == [0]


def test_an_outcome_in_the_store_is_the_last_word_of_a_machine_that_is_gone(bench):
    bench.store = Store()
    bench.store.result = DeliveredResult(job=JOB.id, attempt=1, ok=True, files={"a": SUM})
    bench.port.answers = False
    bench.log_lines = ["anything"]
    assert bench.effects.pull(JOB).at is not None
    (event,) = EventTail(bench.folder / "events.jsonl").read()
    assert event.result.ok


def test_a_store_is_asked_though_no_log_speaks_any_more(bench):
    bench.store, bench.port.answers = Store(), False
    assert bench.effects.pull(JOB) == Heard(searched=True), "asked, and nothing there"
    bench.store.result = DeliveredResult(job=JOB.id, attempt=1, ok=True, files={"a": SUM})
    assert bench.effects.pull(JOB) == Heard(), "not asked again so soon"
    bench.now += timedelta(seconds=11)
    assert bench.effects.pull(JOB) == Heard(accepted=True, at=bench.now)
    (event,) = EventTail(bench.folder / "events.jsonl").read()
    assert event.result.ok


def test_what_a_machine_that_is_gone_left_in_its_store_is_brought(bench):
    class Holding(Store):
        is_there = False

        def fetch_checkpoint(self, key, into):
            assert key == StoreKey(JOB.id, 1)
            assert into.parent == bench.folder / "checkpoints"
            return self.is_there

    bench.store, bench.port.answers = Holding(), False
    assert bench.effects.salvage(JOB) == Heard()
    bench.store.is_there = True
    assert bench.effects.salvage(JOB) == Heard(saved=True)


def test_who_leaves_has_the_worker_save_and_takes_its_checkpoint_along(bench):
    bench.port.phase = "training"
    bench.port.kept = {"w.safetensors": b"x", "complete.json": b"{}"}
    sealed = [file("complete.json"), file("w.safetensors")]
    bench.port.sealed = (
        RemoteCheckpoint(name="checkpoint-8", step=8, bytes=2, files=sealed),
        RemoteCheckpoint(name="checkpoint-4", step=4, bytes=2, files=sealed),
    )
    assert not bench.effects.salvage(JOB).saved
    assert bench.port.asked[-1] == "cancel"
    assert bench.effects.salvage(JOB).saved
    assert sorted(p.name for p in (bench.folder / "checkpoints" / "checkpoint-8").iterdir()) == [
        "complete.json",
        "w.safetensors",
    ]
    assert not (bench.folder / "checkpoints" / "checkpoint-4").exists()
    bench.port.answers = False
    assert bench.effects.salvage(JOB) == Heard()


def test_an_artifact_is_fetched_by_the_port(bench):
    bench.port.phase = "finished"
    assert bench.effects.fetch(JOB) is not True, "nothing is listed yet"
    bench.port.listed, bench.port.kept = (file("a"),), {"a": b"x"}
    assert bench.effects.fetch(JOB) is True
    assert (bench.folder / "artifact" / "a").read_bytes() == b"x"


def test_an_artifact_that_the_machine_delivered_is_fetched_from_the_store(bench):
    bench.store = Store()
    bench.port.phase = "delivering"
    assert bench.effects.fetch(JOB) is not True
    assert bench.port.asked[-2:] == ["renew archive", "renew result"]
    bench.effects.fetch(JOB)
    assert bench.port.asked.count("renew archive") == 1, "addresses live for hours"
    bench.port.phase = "delivered"
    assert bench.effects.fetch(JOB) is not True
    bench.store.artifact = b"x"
    assert bench.effects.fetch(JOB) is True
    bench.port.answers, bench.store.artifact = False, b"y"
    assert bench.effects.fetch(JOB) is True, "the machine may be gone by then"
    assert (bench.folder / "artifact" / "a").read_bytes() == b"y"
    assert not list(bench.folder.glob("incoming-*"))


def test_an_artifact_that_was_brought_by_a_driver_that_died_is_not_lost_with_its_machine(bench):
    bench.port.answers = False
    artifacts.make(bench.folder / "artifact")
    assert bench.effects.fetch(JOB) is not True, "no word of the worker says that it is whole"
    sums = artifact_folder.checksums(bench.folder / "artifact")
    homes.say_result(bench.folder / "events.jsonl", JOB, sums)
    assert bench.effects.fetch(JOB) is True
    homes.say_result(bench.folder / "events.jsonl", JOB, {**sums, "more.json": SUM})
    assert bench.effects.fetch(JOB) is not True


def test_a_bundle_whose_last_piece_another_driver_sent_is_handed_over(bench):
    bench.effects.stage(JOB)
    refusal = ConflictError("no bundle is awaited", code="pod_conflict")

    def refuse(path, **_):
        bench.port.phase = there
        raise refusal

    bench.port.send_bundle = refuse
    there = "installing"
    assert bench.effects.hand_over(JOB).accepted
    bench.port.phase, there = "receiving", "receiving"
    with pytest.raises(ConflictError):
        bench.effects.hand_over(JOB)


def test_a_machine_that_cannot_be_released_is_ended_all_the_same(bench):
    bench.effects.stage(JOB)
    bench.port.answers = False
    bench.effects.release(JOB)
    bench.pods.proofs.insert(0, None)
    assert bench.effects.terminate(JOB) is None
    assert (bench.folder / BUNDLE).exists()
    assert bench.effects.terminate(JOB) is not None
    assert not (bench.folder / BUNDLE).exists(), "a copy of the data less"


class Forgetful(Store):
    """Notes which bundles it was told to forget, or cannot be reached."""

    def __init__(self, error=None):
        super().__init__()
        self.forgotten, self.error = [], error

    def forget(self, key, bundle_sha256):
        if self.error:
            raise self.error
        self.forgotten.append((key, bundle_sha256))


def test_the_rows_leave_the_store_with_the_machine(bench):
    bench.store = Forgetful()
    bench.effects.stage(JOB)
    sha256 = json.loads((bench.folder / "bundle.json").read_text())["sha256"]
    assert bench.effects.terminate(JOB) is not None
    assert bench.store.forgotten == [((JOB.id, JOB.attempt), sha256)]


def test_a_store_that_cannot_be_reached_holds_no_proof_up(bench):
    bench.store = Forgetful(UnavailableError("no answer"))
    bench.effects.stage(JOB)
    assert bench.effects.terminate(JOB) is not None


def order(instance, hours, usd="0.40"):
    absent = build.NOW + timedelta(hours=hours)
    return Intent("n", JOB.id, 1, build.NOW, Decimal(usd), "A", "EU-1", instance, absent)


def test_the_receipt_s_cost_is_of_all_machines(bench):
    bench.orders = [order(None, 1), order("pod0", 1), order("pod1", 2)]
    rental = bench.effects._rental(JOB)
    assert rental.usd == Decimal("1.20")
    assert (rental.machines, rental.region, rental.billed_usd) == (2, "EU-1", None)
    known = {"billed_usd": Decimal("0.5"), "settled_at": build.NOW}
    bench.orders = [one._replace(**known) if one.instance_id else one for one in bench.orders]
    rental = bench.effects._rental(JOB)
    assert (rental.usd, rental.billed_usd) == (Decimal("1.20"), Decimal("1.0"))


def test_a_machine_s_steps_tell_what_the_job_will_cost(bench):
    bench.orders = [order("pod1", 1)._replace(absent_at=None)]
    bench.port.phase = "training"
    lines = [
        TrainingEvent(
            job=JOB.id, attempt=1, seq=n, time=build.NOW + timedelta(seconds=2 * n),
            kind=EventKind.STEP, stage=WorkerStage.TRAINING, step=n + 1, total_steps=200,
        ).line()
        for n in range(WARM_UP + NEEDED)
    ]  # fmt: skip
    bench.port.events_there = ("\n".join(lines[:-1]) + "\n").encode()
    assert bench.effects.pull(JOB).requote is None
    bench.port.events_there = ("\n".join(lines) + "\n").encode()
    made = bench.effects.pull(JOB).requote
    assert (made.steps, made.seconds_per_step) == (NEEDED, 2.0)
    assert bench.effects.pull(JOB).requote is None, "once a minute"
    bench.now += timedelta(minutes=1)
    bench.port.answers = False
    assert bench.effects.pull(JOB).requote is not None, "by the log stream as well"


def test_an_order_without_an_intent_is_refused(bench):
    with pytest.raises(ProviderError):
        bench.effects.launch(rented_jobs.job(JobPhase.PROVISIONING, intent_at=None))


def test_a_refusal_says_nothing_of_an_order_whose_answer_was_lost(bench):
    def refuse(request):
        raise CredentialsError("the key is rejected")

    bench.pods.launch = refuse
    with pytest.raises(CredentialsError):
        bench.effects.launch(JOB)
    OrderBook(bench.folder).begin(rented_jobs.NAME, build.NOW)
    with pytest.raises(DoubtfulError, match="may exist"):
        bench.effects.launch(JOB)


def test_a_machine_that_was_made_while_the_job_left_is_ended_by_its_id(bench):
    leaving = rented_jobs.job(JobPhase.TERMINATING, instance_id=None)
    now = order("pod9", 1)._replace(name=rented_jobs.NAME, absent_at=None)
    bench.orders = [order("pod8", 1), now]
    bench.effects.terminate(leaving)
    assert bench.pods.ended == ["pod9"]
    assert bench.pods.doubted == []


def test_an_order_of_an_earlier_driver_stays_in_doubt(bench):
    OrderBook(bench.folder).begin(rented_jobs.NAME, build.NOW)
    bench.effects.terminate(rented_jobs.job(JobPhase.TERMINATING, instance_id=None))
    assert bench.pods.doubted == [(rented_jobs.NAME, build.NOW)]
    assert OrderBook(bench.folder).open_since(rented_jobs.NAME) is None, (
        "proved: it may be forgotten"
    )
    assert bench.pods.ended == [None]


class Full(rented_jobs.Port):
    """Its files do not fit here."""

    def fetch_files(self, folder, files, **_):
        raise UnavailableError("this machine's disk has 5 bytes free", code="disk_full")


def test_a_full_disk_here_is_said_and_waited_out(bench):
    bench.port = Full("finished")
    bench.port.listed = (file("a"),)
    bench.effects._tools = dataclasses.replace(bench.effects._tools, port=bench.port)
    assert bench.effects.fetch(JOB) is not True
    assert "disk" in bench.view().detail


def test_a_machine_is_told_of_a_deadline_that_was_moved_up(bench):
    """It cost more than was listed; should this machine die, the other one ends in time."""
    bench.effects.stage(JOB)
    sooner = JOB.deadline - timedelta(hours=1)
    bench.effects.hand_over(rented_jobs.job(JobPhase.PROVISIONING, deadline=sooner))
    (message,) = bench.port.handed
    assert message.deadline == int(sooner.timestamp())


def test_a_job_whose_files_are_gone_comes_to_its_proof(bench):
    shutil.rmtree(bench.folder)
    bench.pods.proofs.insert(0, None)
    leaving = rented_jobs.job(JobPhase.TERMINATING, instance_id=None)
    assert bench.effects.terminate(leaving) is None
    assert bench.effects.terminate(leaving) is not None


def test_a_folder_that_cannot_be_read_keeps_no_machine_alive(bench, caplog):
    """Nobody can tell whether an order stands open: its time to appear begins anew, and it is ended."""
    shutil.rmtree(bench.folder)
    bench.folder.write_text("no folder any more")
    leaving = rented_jobs.job(JobPhase.TERMINATING, instance_id=None)
    assert bench.effects.terminate(leaving) is not None
    assert bench.pods.doubted == [(leaving.instance_name, bench.now)]
    assert bench.pods.ended == [None]
    assert "left in its folder" in caplog.text
