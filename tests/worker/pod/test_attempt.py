"""The real worker, from a bundle over the port to a verified artifact."""

import json

import pytest

from podtune.core.artifact import Artifact
from podtune.core.events import parse_line
from podtune.core.job import WorkerOrder
from podtune.storage import artifact_folder, bundle
from support import build, pod_bundles, pod_machine, tiny_model, worker_jobs
from support.pod_machine import eventually, hand_over


@pytest.fixture(scope="module")
def job_folder(tmp_path_factory, tiny):
    """As the driver makes it, on this machine."""
    folder = tmp_path_factory.mktemp("home")
    data = tiny_model.write_rows(folder / "tickets.jsonl", 24)
    return worker_jobs.make(folder / "job", tiny, data, worker_jobs.QUICK)


def test_the_real_worker_trains_what_the_bundle_holds(up, job_folder, tmp_path):
    order = WorkerOrder.model_validate_json((job_folder / "order.json").read_bytes())
    job = build.job(id=pod_machine.JOB, plan=order.plan)
    made = bundle.make(job, job_folder, tmp_path / "bundle.tar")
    with up.port() as port:
        port.hand_over(hand_over(made.path))
        assert port.send_bundle(made.path, within_s=30)
        status = eventually(lambda: (s := port.status()).phase in ("finished", "failed") and s, 150)
        log = port.log(0).block.decode(errors="replace")
        assert status.phase == "finished", f"{status.detail}\n{log[-3000:]}"
        last = parse_line(port.events(0).block.decode().splitlines()[-1])
        assert port.fetch_files(tmp_path / "artifact", port.files())
    verified = artifact_folder.verify(tmp_path / "artifact", last.result.files)
    assert isinstance(verified, Artifact)
    config = json.loads((tmp_path / "artifact" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "model"
    assert "hold button" not in up.text()


def failed(machine, content):
    """Hand over what is no good; the attempt's result."""
    with machine.port() as port:
        port.hand_over(hand_over(content))
        port.send_bundle(content, within_s=20)
        eventually(lambda: port.status().phase == "failed")
        return parse_line(port.events(0).block.decode().splitlines()[-1]).result


def test_a_bundle_that_is_none(up, tmp_path):
    content = tmp_path / "bundle.tar"
    content.write_bytes(b"no tar at all" * 100)
    result = failed(up, content)
    assert result.error_code == "bundle_damaged"
    assert result.advice


def test_libraries_that_cannot_be_installed(machine, tmp_path):
    machine.environment["PODTUNE_LOCK_SHA256"] = "another image's"
    machine.environment["PIP_NO_INDEX"] = "1"
    machine.environment.pop("PIP_FIND_LINKS", None)
    machine.start()
    eventually(machine.is_up)
    result = failed(machine, pod_bundles.write(tmp_path / "bundle.tar"))
    assert result.error_code == "install_failed"
    log = (machine.folder / "worker.log").read_text()
    assert "No matching distribution" in log or "Could not find" in log


def test_a_preflight_that_says_nothing(up, tmp_path):
    broken = pod_bundles.write(tmp_path / "bundle.tar", preflight="raise SystemExit(3)")
    result = failed(up, broken)
    assert (result.error_code, "code 3" in result.error_message) == ("image_unfit", True)


def test_the_end_of_the_lifetime_stops_the_worker(machine, tmp_path):
    machine.environment["PODTUNE_MAX_USD"] = "0.0005"  # 4.5 s at 0.40 dollars an hour
    machine.environment["PODTUNE_UPLOAD_RESERVE_S"] = "3"
    machine.start()
    eventually(machine.is_up)
    result = failed(machine, pod_bundles.write(tmp_path / "bundle.tar", mode="wait"))
    assert result.error_code == "interrupted"
    eventually(machine.control.ended.is_set)
