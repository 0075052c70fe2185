"""A serverless job whose plan came with it: fetched, checked, laid out."""

import json
import shutil
from types import SimpleNamespace

import pytest

import serverless_bundle
import serverless_request
from podtune.app import settings as configuration
from podtune.core.errors import ArtifactError, PodtuneError, SpecError
from podtune.core.job import WorkerOrder
from podtune.core.plan import Device
from podtune.core.spec import ModelSource
from podtune.storage import bundle as bundles
from podtune.storage.artifact_folder import sha256_file
from podtune.workflow.folder import JobFolder
from progress import EventWriter
from serverless_order import JobOrder
from support import build, tiny_model, worker_jobs
from support.put_server import PutServer

SECRET = "signature=planted-secret"


class Bench:
    """A job of this machine as a bundle at an address, and a worker's folder for it."""

    def __init__(self, folder, tiny, **stated):
        self.server = PutServer()
        self.here = folder / "here"
        rows = tiny_model.write_rows(folder / "tickets.jsonl", 12)
        worker_jobs.make(self.here, tiny, rows, {**worker_jobs.QUICK, **stated})
        order = WorkerOrder.model_validate_json((self.here / "order.json").read_text())
        self.job = build.job(plan=order.plan)
        self.folder = JobFolder(folder / "there")
        self.folder.path.mkdir()
        self.pack()
        port = self.server.url.rpartition(":")[2]
        environment = {
            "PODTUNE_HOME": str(folder / "home"), "PODTUNE_EGRESS_HTTP": "true",
            "PODTUNE_EGRESS_PRIVATE_HOSTS": f"127.0.0.1:{port}",
        }  # fmt: skip
        self.settings = configuration.load(environment, read_file=False).settings

    def pack(self):
        made = bundles.make(self.job, self.here, self.here / "bundle.tar")
        self.server.kept[f"/bundle.tar?{SECRET}"] = made.path.read_bytes()
        self.said = {"sha256": made.sha256, "bytes": made.size, "plan": self.job.plan.digest}

    def given(self, **changes):
        body = {
            "job_id": self.job.id, "dataset_url": f"{self.server.url}/bundle.tar?{SECRET}",
            "hyperparameters": {"base_model": "local/model"}, "bundle": {**self.said, **changes},
            "upload": {"archive": self.server.address("a"), "begun": self.server.address("begun")},
        }  # fmt: skip
        request = serverless_request.read(body, self.settings)
        places = SimpleNamespace()
        order = JobOrder.model_construct(input=body, external_id="rp-1", attempt=1, places=places)
        return serverless_bundle.Given(
            request.bundle, request.asked, order, request.upload, self.settings
        )

    def settle(self, **changes):
        events = EventWriter(self.folder.events, job=self.job.id, attempt=1)
        return serverless_bundle.settle(self.given(**changes), self.folder, events)

    def mark(self):
        return next((v for k, v in self.server.kept.items() if k.startswith("/begun")), None)


@pytest.fixture
def bench(tmp_path, tiny):
    made = Bench(tmp_path, tiny)
    yield made
    made.server.close()


def test_the_approved_plan_is_what_is_trained(bench):
    plan = bench.settle()
    approved = bench.job.plan
    assert plan.schedule == approved.schedule
    assert plan.spec.training == approved.spec.training
    assert plan.base_model.name == approved.base_model.name.rsplit("/", 1)[-1]
    order = WorkerOrder.model_validate_json(bench.folder.order.read_text())
    assert order.plan == plan
    assert (plan.spec.base_model.source, order.job) == (ModelSource.PATH, bench.job.id)
    assert (bench.folder.path / "data" / "train.jsonl").is_file()


def test_it_is_marked_with_the_platforms_id(bench):
    bench.settle()
    assert json.loads(bench.mark()) == {"external_job_id": "rp-1"}


def test_one_that_was_called_back_trains_nothing(bench):
    del bench.server.kept[f"/bundle.tar?{SECRET}"]
    with pytest.raises(PodtuneError):
        bench.settle()
    assert bench.mark(), "whoever called it back sees that it began"
    assert not bench.folder.order.exists()


def test_what_cannot_be_marked_is_not_begun(bench):
    bench.server.refusals = [403]
    with pytest.raises(PodtuneError) as raised:
        bench.settle()
    assert raised.value.code == "upload_refused"
    assert not bench.folder.order.exists()


@pytest.mark.parametrize("changes", [{"sha256": "0" * 64}, {"bytes": 5}])
def test_another_bundle_than_was_announced_is_refused(bench, changes):
    with pytest.raises(ArtifactError) as raised:
        bench.settle(**changes)
    assert raised.value.code == "integrity_mismatch"


def test_a_second_dispatch_goes_on_with_what_is_there(bench):
    bench.settle()
    bench.server.kept.clear()
    assert bench.settle() == WorkerOrder.model_validate_json(bench.folder.order.read_text()).plan


def test_its_checkpoint_is_taken_and_one_that_is_there_stays(bench):
    for step in (2, 4):
        folder = bench.here / "checkpoints" / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        (folder / "weights").write_text("old")
        sums = {"weights": sha256_file(folder / "weights")}
        (folder / bundles.SEAL).write_text(json.dumps(sums))
    bench.pack()
    kept = bench.folder.path / "checkpoints" / "checkpoint-4"
    kept.mkdir(parents=True)
    (kept / "weights").write_text("newer")
    bench.settle()
    assert (kept / "weights").read_text() == "newer"
    shutil.rmtree(kept)
    (bench.folder.order).unlink()
    bench.settle()
    assert (kept / "weights").read_text() == "old"


@pytest.mark.parametrize(
    "bundle",
    [{}, 3, "x", {"sha256": "a" * 64, "bytes": 5}, {"sha256": "A", "bytes": 5, "plan": "b" * 64},
     {"sha256": "a" * 64, "bytes": 10**12, "plan": "b" * 64},
     {"sha256": "a" * 64, "bytes": 5, "plan": "b" * 64, "more": 1}],
)  # fmt: skip
def test_a_bundle_that_is_none_is_refused_without_its_values(bench, bundle):
    body = {
        "job_id": "j", "dataset_url": "https://x.example/b?sig=SECRET",
        "hyperparameters": {"base_model": "a/b"}, "bundle": bundle,
    }  # fmt: skip
    with pytest.raises(SpecError) as raised:
        serverless_request.read(body, bench.settings)
    assert raised.value.code == "bad_request_body"
    assert "SECRET" not in str(raised.value)


def test_another_machine_than_the_plan_is_for_is_refused(bench):
    plan = bench.job.plan
    serverless_bundle.refuse_unfit(plan, plan.device)
    card = Device(kind="cuda", name="H100", memory_bytes=2**36, cores=8, bf16=True)
    less = plan.device.model_copy(update={"memory_bytes": plan.device.memory_bytes // 2})
    for device in (card, less):
        with pytest.raises(SpecError) as raised:
            serverless_bundle.refuse_unfit(plan, device)
        assert raised.value.code == "machine_unfit"


def test_an_order_of_another_version_names_the_next_step(bench):
    order = bench.here / "order.json"
    said = json.loads(order.read_text())
    said["plan"]["a_field_of_tomorrow"] = 1
    target = bench.folder.path / "order-of-tomorrow.json"
    target.write_text(json.dumps(said))
    with pytest.raises(SpecError) as raised:
        serverless_bundle._plan(target)
    assert raised.value.code == "worker_outdated"
    assert "deploy --image" in raised.value.hint
