"""What a serverless job trains on this worker."""

import json

import pytest

import serverless_models
import serverless_plan
from podtune.app import settings as configuration
from podtune.core.errors import PodtuneError, SpecError
from podtune.core.events import EventKind, parse_line
from podtune.core.plan import Device
from podtune.core.submission import parse
from podtune.workflow.folder import JobFolder
from progress import EventWriter
from serverless_models import Found
from serverless_order import EXTRA, JobOrder
from support.serverless_jobs import MODEL, Bench

CARD = Device(
    kind="cuda", name="NVIDIA H100 80GB HBM3", memory_bytes=85_520_809_984, cores=8, bf16=True
)
CPU = Device(
    kind="cpu", name="CPU with 2 cores", memory_bytes=8 * 2**30, cores=2, bf16=False, count=2
)
NOWHERE = Found(None, None, ("/a",), ())


def asked(**gpu):
    return parse(
        {
            "job_id": "j", "dataset_url": "https://x.example/r",
            "hyperparameters": {"base_model": "a/b", "batch_size": 4}, "gpu_config": gpu,
            "max_usd": 3, "max_hours": 2, "callback_url": "https://x.example/hook",
        }
    )  # fmt: skip


def test_on_a_card_four_bits_and_the_folder_that_was_found(tmp_path):
    found = Found(tmp_path, "abc", (), ())
    stated = serverless_plan.request_for(asked(), tmp_path / "rows.jsonl", found, CARD).stated
    assert stated["adapter.kind"] == "qlora"
    assert (stated["base_model.name"], stated["base_model.source"]) == (str(tmp_path), "path")
    assert stated["where.on"] == "local"
    assert stated["training.effective_batch"] == {"examples": 4}
    assert not {"where.max_usd", "where.max_hours", "deliver.callback_url"} & set(stated)


def test_on_a_processor_what_the_planner_chooses(tmp_path):
    stated = serverless_plan.request_for(asked(), tmp_path / "rows.jsonl", NOWHERE, CPU).stated
    assert "adapter.kind" not in stated
    assert stated["base_model.name"] == "a/b"


def test_too_few_or_too_small_cards_are_refused():
    serverless_plan.refuse_small(asked(num_gpus=1, gpu_memory_gb=80), CARD)
    for gpu in ({"num_gpus": 2}, {"gpu_memory_gb": 141}):
        with pytest.raises(SpecError) as raised:
            serverless_plan.refuse_small(asked(**gpu), CARD)
        assert raised.value.code == "machine_unfit"


def test_another_card_is_a_warning():
    assert serverless_plan.about_card(asked(gpu_type="h100"), CARD) == ()
    (words,) = serverless_plan.about_card(asked(gpu_type="A100 80GB"), CARD)
    assert "A100 80GB" in words
    assert CARD.name in words
    assert serverless_plan.about_card(asked(), CARD) == ()


@pytest.fixture
def bench(tmp_path, tiny):
    made = Bench(tmp_path, tiny)
    yield made
    made.close()


class Attempt:
    """An attempt's parts, as `serverless_job` hands them on."""

    def __init__(self, bench, url, number=1, **more):
        worker = bench.worker()
        body = bench.input(url, **more)
        folder = worker.places.job("job-1")
        folder.mkdir(parents=True, exist_ok=True)
        self.asked = parse(body, extra=EXTRA)
        self.order = JobOrder(input=body, external_id="e", attempt=number, places=worker.places)
        self.folder = JobFolder(folder)
        environment = worker.environment | {"PODTUNE_HOME": str(bench.home)}
        self.settings = configuration.load(environment, read_file=False).settings

    def settle(self):
        events = EventWriter(self.folder.events, job="job-1", attempt=self.order.attempt)
        return serverless_plan.settle(self.asked, self.order, self.folder, self.settings, events)

    def warnings(self):
        lines = self.folder.events.read_text(encoding="utf-8").splitlines()
        events = [event for line in lines if (event := parse_line(line))]
        return [e.message for e in events if e.kind is EventKind.WARNING]


def test_a_plan_with_its_rows_and_its_order(bench):
    attempt = Attempt(bench, bench.array(), max_usd=3)
    plan = attempt.settle()
    assert plan.base_model.name == MODEL  # as it was asked for, not where it lies
    assert plan.spec.base_model.name == str(bench.volume / "models" / "grinder-chat")
    assert plan.report.rows == 24
    order = json.loads(attempt.folder.order.read_text(encoding="utf-8"))
    assert (order["job"], order["attempt"]) == ("job-1", 1)
    assert attempt.folder.data_file("train.jsonl").is_file()
    assert any("max_usd" in words for words in attempt.warnings())
    assert "planted" not in attempt.folder.order.read_text(encoding="utf-8")


def test_a_second_attempt_keeps_the_plan_though_the_address_has_expired(bench):
    first = Attempt(bench, bench.rows()).settle()
    bench.server.kept.clear()
    second = Attempt(bench, bench.server.url + "/tickets.jsonl?token=old", 2)
    assert second.settle().digest == first.digest
    order = json.loads(second.folder.order.read_text(encoding="utf-8"))
    assert order["attempt"] == 2


def test_another_device_is_planned_anew_from_the_kept_data_set(bench):
    attempt = Attempt(bench, bench.rows())
    attempt.settle()
    assert serverless_plan.kept(attempt.folder, CARD) is None
    bench.server.kept.clear()
    assert serverless_plan.fetched(attempt.asked, attempt.folder, attempt.settings, None).is_file()


def test_copies_that_were_changed_are_not_gone_on_with(bench):
    attempt = Attempt(bench, bench.rows())
    plan = attempt.settle()
    assert serverless_plan.kept(attempt.folder, plan.device) is not None
    with attempt.folder.data_file("train.jsonl").open("a", encoding="utf-8") as stream:
        stream.write("{}\n")
    assert serverless_plan.kept(attempt.folder, plan.device) is None


def test_a_broken_download_leaves_no_half(bench):
    bench.server.kept["/x.jsonl"] = b""
    attempt = Attempt(bench, bench.server.url + "/nowhere.jsonl")
    with pytest.raises(PodtuneError) as raised:
        attempt.settle()
    assert raised.value.code == "url_not_found"
    assert not (attempt.folder.path / serverless_plan.SOURCE).exists()


def test_a_model_that_is_nowhere(bench, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    attempt = Attempt(bench, bench.rows(), hyperparameters={"base_model": "nobody/nothing"})
    with pytest.raises(PodtuneError) as raised:
        attempt.settle()
    assert raised.value.code == "model_not_found"
    assert str(bench.volume / "models" / "nothing") in raised.value.message
    assert "volume" in raised.value.hint
    assert serverless_models.find("nobody/nothing", attempt.order.places).folder is None
