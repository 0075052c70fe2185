"""What the phases of a local job do, each twice without harm."""

from datetime import UTC, datetime

import pytest

from podtune.app import receipts, sources, speed
from podtune.app.effects import TRAIN_FILE, LocalEffects
from podtune.app.installation import signing_key
from podtune.app.settings import cards_for
from podtune.core.errors import ArtifactError, ConflictError, DatasetError
from podtune.core.events import EventKind
from podtune.core.job import Instance, TerminationProof, WorkerOrder
from podtune.core.states import JobPhase, Outcome
from podtune.data import canonical
from podtune.providers.base import InstanceState
from podtune.storage import artifact_folder
from podtune.workflow.folder import JobFolder
from support import artifacts, build, homes

PROOF = TerminationProof(instance_id="1:2", ended=1, absent_at=build.NOW, method="looked")


class Recorder:
    """A provider of memory."""

    def __init__(self) -> None:
        self.launched = []
        self.terminated = []
        self.running: list[Instance] = []

    def launch(self, request):
        self.launched.append(request)
        instance = Instance(
            id=f"{len(self.launched)}:1", name=request.name, started_at=datetime.now(UTC)
        )
        self.running.append(instance)
        return instance

    def inspect(self, instance_id):
        return InstanceState.GONE

    def terminate(self, name, instance_id):
        self.terminated.append((name, instance_id))
        return PROOF

    def owned(self, owner):
        return [i for i in self.running if i.name.startswith(f"pt-{owner}-")]


@pytest.fixture
def settings(tmp_path):
    return homes.settings(tmp_path)


@pytest.fixture
def provider():
    return Recorder()


@pytest.fixture
def effects(settings, provider):
    return LocalEffects(settings, provider, {"A": "1"})


@pytest.fixture
def plan(tmp_path):
    return homes.plan(tmp_path / "user")


@pytest.fixture
def job(plan, settings):
    """A job whose folder holds its copy of the data."""
    made = build.job(plan=plan, phase=JobPhase.PROVISIONING, instance_name="pt-owner123-demo-1")
    folder = JobFolder(settings.jobs / made.id)
    folder.data.mkdir(parents=True)
    rows = sources.read(plan.spec.data.source, plan.spec.data, settings, fresh=False)
    canonical.write(rows.conversations, folder.data_file(TRAIN_FILE))
    return made


@pytest.fixture
def folder(job, settings):
    return JobFolder(settings.jobs / job.id)


def test_data_as_planned_passes(effects, job):
    effects.check_data(job)
    effects.check_data(job)


@pytest.mark.parametrize("change", ["changed", "missing"])
def test_changed_or_missing_data_is_refused(effects, job, folder, change):
    path = folder.data_file("train.jsonl")
    if change == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(DatasetError) as caught:
        effects.check_data(job)
    assert caught.value.code == "data_changed"


def test_held_out_rows_are_checked_and_ordered_too(effects, tmp_path, settings):
    held = homes.data(tmp_path / "user", 3, "held.jsonl")
    plan = homes.plan(tmp_path / "user", data__validation_source=str(held))
    job = build.job(plan=plan, phase=JobPhase.PROVISIONING)
    folder = JobFolder(settings.jobs / job.id)
    folder.data.mkdir(parents=True)
    for name, source in (("train.jsonl", plan.spec.data.source), ("validation.jsonl", str(held))):
        rows = sources.read(source, plan.spec.data, settings, fresh=False)
        canonical.write(rows.conversations, folder.data_file(name))
    effects.check_data(job)
    effects.stage(job)
    order = WorkerOrder.model_validate_json(folder.order.read_text(encoding="utf-8"))
    assert order.validation_file == "data/validation.jsonl"
    folder.data_file("validation.jsonl").write_text("")
    with pytest.raises(DatasetError):
        effects.check_data(job)


def test_the_order_is_whole_and_leaves_nothing_beside(effects, job, folder, settings):
    effects.stage(job)
    effects.stage(job.model_copy(update={"attempt": 2}))
    order = WorkerOrder.model_validate_json(folder.order.read_text(encoding="utf-8"))
    assert (order.job, order.attempt) == (job.id, 2)
    assert order.plan.digest == job.plan_digest
    assert (order.train_file, order.validation_file) == ("data/train.jsonl", None)
    assert order.models_dir == str(settings.models)
    assert sorted(p.name for p in folder.path.iterdir()) == ["data", "order.json"]


def test_a_launch_is_in_the_jobs_folder_under_its_name(effects, provider, job, folder):
    effects.launch(job)
    (request,) = provider.launched
    assert (request.name, request.folder) == ("pt-owner123-demo-1", folder.path)
    assert request.environment == {"A": "1", **cards_for(1)}


def test_an_attempt_that_has_begun_is_adopted_not_begun_again(effects, provider, job, folder):
    first = effects.launch(job)
    homes.say(folder.events, job)
    assert effects.launch(job) == first
    assert len(provider.launched) == 1


def test_an_attempt_that_has_begun_and_ended_is_not_begun_again(effects, provider, job, folder):
    homes.say(folder.events, job)
    instance = effects.launch(job)
    assert provider.launched == []
    assert instance.name == job.instance_name


def test_events_of_an_earlier_attempt_do_not_count(effects, provider, job, folder):
    homes.say(folder.events, job, attempt=1)
    effects.launch(job.model_copy(update={"attempt": 2}))
    assert len(provider.launched) == 1


def test_terminating_names_the_instance(effects, provider, job):
    assert effects.terminate(job.model_copy(update={"instance_id": "1:2"})) is PROOF
    assert provider.terminated == [("pt-owner123-demo-1", "1:2")]


@pytest.fixture
def made(job, folder):
    """The job's artifact, as its worker reported it."""
    artifacts.make(folder.artifact)
    homes.say_result(folder.events, job, artifact_folder.checksums(folder.artifact))
    return job.model_copy(update={"outcome": Outcome.COMPLETED, "proof": PROOF})


def test_the_artifact_is_checked_against_the_workers_word(effects, made, folder):
    assert effects.verify(made).files == artifact_folder.checksums(folder.artifact)
    (folder.artifact / "README.md").write_text("changed")
    with pytest.raises(ArtifactError) as caught:
        effects.verify(made)
    assert caught.value.code == "integrity_mismatch"


def test_without_a_word_there_is_nothing_to_verify(effects, job):
    with pytest.raises(ArtifactError) as caught:
        effects.verify(job)
    assert caught.value.code == "artifact_incomplete"


def test_the_word_of_another_attempt_does_not_count(effects, made):
    with pytest.raises(ArtifactError):
        effects.verify(made.model_copy(update={"attempt": 2}))


def test_the_receipt_is_signed_and_holds(effects, made, folder, settings):
    effects.receipt(made)
    effects.receipt(made)
    own = signing_key(settings.home).public_base64
    assert "this installation's" in receipts.verify(folder.artifact, own)[0]


def test_no_receipt_before_absence_is_proved(effects, made, folder):
    with pytest.raises(ArtifactError) as caught:
        effects.receipt(made.model_copy(update={"proof": None}))
    assert caught.value.code == "not_terminated"
    assert not (folder.artifact / "receipt.json").exists()


def test_no_receipt_for_an_artifact_that_changed(effects, made, folder):
    (folder.artifact / "adapter_model.safetensors").write_bytes(b"other")
    with pytest.raises(ArtifactError):
        effects.receipt(made)
    assert not (folder.artifact / "receipt.json").exists()


def delivered_to(job, target):
    deliver = job.plan.spec.deliver.model_copy(update={"to": str(target)})
    spec = job.plan.spec.model_copy(update={"deliver": deliver})
    return job.model_copy(update={"plan": job.plan.model_copy(update={"spec": spec})})


def test_the_artifact_is_delivered_with_its_receipt(effects, made, folder, tmp_path):
    target = tmp_path / "out" / "adapter"
    effects.receipt(delivered_to(made, target))
    effects.receipt(delivered_to(made, target))
    assert artifact_folder.checksums(target) == artifact_folder.checksums(folder.artifact)
    assert (target / "receipt.json").is_file()


def test_a_delivery_overwrites_nothing(effects, made, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(ConflictError):
        effects.receipt(delivered_to(made, tmp_path / "out"))
    assert (tmp_path / "out" / "mine").read_text() == "mine"


@pytest.mark.parametrize(
    ("facts", "known"),
    [
        ({"tokens_per_second": 100.0, "steps": 40}, True),
        ({"tokens_per_second": 100.0, "steps": 40, "resumed_from_step": 35}, False),
        ({"tokens_per_second": None, "steps": 40}, False),
        ({}, False),
    ],
)
def test_the_speed_reached_is_remembered(effects, made, folder, settings, facts, known):
    homes.say(folder.events, made, kind=EventKind.FACTS, facts=facts)
    effects.receipt(made)
    assert bool(speed.reached(settings.speed)) is known
