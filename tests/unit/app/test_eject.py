"""A job as a folder that trains elsewhere."""

import json
import os
import subprocess

import pytest
import yaml

from podtune.app import eject, planner
from podtune.core.errors import DatasetError, SpecError
from podtune.core.job import WorkerOrder
from podtune.core.plan import Plan
from podtune.core.units import GIB
from support import homes

HOSTILE = "$(touch pwned); `touch pwned` \"; touch pwned # '\n"


@pytest.fixture
def model(tmp_path):
    return homes.model(tmp_path / "base")


def request_of(tmp_path, model, **stated):
    data = homes.data(tmp_path)
    return planner.source_request(str(data), {"base_model.name": str(model), **stated})


def ejected(tmp_path, model, target=None, **stated):
    home = homes.settings(tmp_path / "home")
    made = eject.plan(request_of(tmp_path, model, **stated), target or eject.Target(), home)
    return eject.eject(made, tmp_path / "out", home)


def order(folder):
    return WorkerOrder.model_validate_json((folder / "job/order.json").read_text())


def test_the_folder_holds_all_that_is_needed(tmp_path, model):
    folder = ejected(tmp_path, model)
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert {
        "train.sh", "README.md", "spec.yaml", "requirements.lock", "training-data.jsonl",
        "job/order.json",
    } <= names  # fmt: skip
    assert any(name.startswith("model/") and name.endswith("config.json") for name in names)
    said = order(folder)
    assert (folder / "job" / said.train_file).is_file()
    assert (folder / "job" / said.plan.spec.base_model.name / "config.json").is_file()
    assert os.access(folder / "train.sh", os.X_OK)


def test_no_place_of_this_machine_is_in_it(tmp_path, model):
    folder = ejected(tmp_path, model)
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix in {".json", ".yaml", ".md", ".sh", ".jsonl"}:
            assert str(tmp_path) not in path.read_text(), path.name


def test_its_spec_is_a_spec_and_trains_its_own_data(tmp_path, model, monkeypatch):
    folder = ejected(tmp_path, model, eject.Target(cpu=True))
    monkeypatch.chdir(folder)
    home = homes.settings(tmp_path / "other")
    made = planner.make_plan(planner.source_request("spec.yaml", {}), home)
    assert made.spec.base_model.name.endswith(yaml.safe_load((folder / "spec.yaml").read_text())[
        "base_model"]["name"].removeprefix("./"))  # fmt: skip
    assert made.report.rows_sha256 == order(folder).plan.report.rows_sha256


def test_hostile_names_survive_as_text_and_run_nothing(tmp_path, model):
    folder = ejected(tmp_path, model, **{"data.system_prompt": HOSTILE, "deliver.name": "x"})
    script = (folder / "train.sh").read_text()
    assert "pwned" not in script
    assert "pwned" not in (folder / "README.md").read_text()
    assert order(folder).plan.spec.data.system_prompt == HOSTILE
    assert yaml.safe_load((folder / "spec.yaml").read_text())["data"]["system_prompt"] == HOSTILE


def test_the_script_is_clean_by_shellcheck_and_the_same_for_every_job(tmp_path, model, root):
    folder = ejected(tmp_path, model)
    found = subprocess.run(
        [root / ".venv/bin/shellcheck", folder / "train.sh"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout
    assert (folder / "train.sh").read_text() == eject.script()


def test_what_is_said_of_rented_machines_is_left_out(tmp_path, model):
    folder = ejected(
        tmp_path, model, **{"where.on": "runpod", "where.max_usd": 5, "where.gpu": "NVIDIA A40"}
    )
    where = order(folder).plan.spec.where
    assert (str(where.on), where.max_usd) == ("local", None)
    assert order(folder).plan.price is None


def plan_on(tmp_path, model, target) -> Plan:
    home = homes.settings(tmp_path / "home")
    return eject.plan(request_of(tmp_path, model), target, home)


def test_the_plan_is_made_for_the_machine_it_is_meant_for(tmp_path, model):
    default = plan_on(tmp_path, model, eject.Target()).device
    assert (default.kind, default.bf16) == ("cuda", True)
    assert 22 * GIB < default.memory_bytes < 24 * GIB
    assert plan_on(tmp_path, model, eject.Target(vram_gib=80)).device.memory_bytes > 70 * GIB
    assert plan_on(tmp_path, model, eject.Target(card="NVIDIA L40S")).device.name == "NVIDIA L40S"
    assert plan_on(tmp_path, model, eject.Target(cpu=True)).device.kind == "cpu"


@pytest.mark.parametrize(
    "card", ["NVIDIA A1000000", "AMD Instinct MI300X OAM", "Tesla V100-PCIE-16GB"]
)
def test_a_card_that_cannot_train_or_is_unknown_is_refused(card):
    with pytest.raises(SpecError) as refused:
        eject.device(eject.Target(card=card))
    assert refused.value.code == "unknown_gpu"
    assert "--vram" in (refused.value.hint or "")


def test_a_folder_that_holds_something_is_left_alone(tmp_path, model):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(SpecError) as refused:
        ejected(tmp_path, model)
    assert refused.value.code == "target_exists"
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"


def test_data_that_changed_since_leaves_nothing_half_written(tmp_path, model):
    home = homes.settings(tmp_path / "home")
    made = eject.plan(request_of(tmp_path, model), eject.Target(), home)
    homes.data(tmp_path, count=7)
    with pytest.raises(DatasetError) as refused:
        eject.eject(made, tmp_path / "out", home)
    assert refused.value.code == "data_changed"
    assert not (tmp_path / "out").exists()


def test_the_readme_says_what_was_planned(tmp_path, model):
    folder = ejected(tmp_path, model)
    text = (folder / "README.md").read_text()
    made = order(folder).plan
    assert f"{made.tokens.train_rows} rows" in text
    assert "bash train.sh" in text
    assert json.loads((folder / "job/order.json").read_text())["models_dir"] == "../models"
