import json
import math

import pytest

import preflight
from podtune.core.job import WorkerOrder
from podtune.core.units import GIB
from support import build


def plan(kind="cpu", **facts):
    made = build.plan(device=build.device(kind, bf16=kind == "cuda"))
    base = made.base_model.model_copy(update=facts)
    return made.model_copy(update={"base_model": base})


@pytest.fixture
def job(tmp_path):
    def make(planned):
        order = WorkerOrder(
            job="demo",
            attempt=1,
            plan=planned,
            train_file="t",
            validation_file=None,
            models_dir="m",
        )
        (tmp_path / "order.json").write_text(order.model_dump_json())
        return tmp_path

    return make


def test_a_fit_machine(job, tmp_path, capsys):
    answer = tmp_path / "answer.json"
    assert preflight.main([str(job(plan())), str(answer)]) == 0
    said = json.loads(answer.read_text())
    assert said["ok"]
    assert (said["device"], math.isfinite(said["loss"])) == ("cpu", True)
    assert capsys.readouterr().out.startswith("preflight: ")


def test_a_machine_without_the_planned_card(job, tmp_path):
    answer = tmp_path / "answer.json"
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a card")
    assert preflight.main([str(job(plan("cuda"))), str(answer)]) == 5
    said = json.loads(answer.read_text())
    assert (said["ok"], said["code"]) == (False, "no_cuda")
    assert "resume" in said["advice"]


def test_a_small_disk(job):
    with pytest.raises(preflight.NotFitError) as caught:
        preflight.check(job(plan(download_bytes=50 * GIB)), free=lambda _: 40 * GIB)
    assert caught.value.code == "disk_full"
    assert "40" in caught.value.message


def test_a_library_that_is_missing(monkeypatch):
    monkeypatch.setattr(preflight, "LIBRARIES", ("no_such_library_here",))
    with pytest.raises(preflight.NotFitError, match="no_such_library_here") as caught:
        preflight.check_libraries(quantised=False)
    assert caught.value.code == "image_unfit"


@pytest.mark.parametrize(
    ("version", "fits"), [("2.5.1+cu121", False), ("2.6.0", True), ("3.0", True)]
)
def test_an_old_torch(monkeypatch, version, fits):
    import torch

    monkeypatch.setattr(torch, "__version__", version)
    if fits:
        assert preflight.check_torch() == version
        return
    with pytest.raises(preflight.NotFitError, match=r"2\.6 is needed"):
        preflight.check_torch()


@pytest.mark.parametrize("kind", ["nowhere", "meta"])
def test_a_step_that_fails_is_typed(kind):
    with pytest.raises(preflight.NotFitError) as caught:
        preflight.tiny_step(kind)
    assert caught.value.code == "image_unfit"
