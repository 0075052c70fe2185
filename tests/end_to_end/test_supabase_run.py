"""examples/supabase/run.sh: the whole example as a newcomer starts it, with a tiny model."""

import signal
import subprocess

import psutil
import pytest

from support import edge_functions, tiny_model
from support.hub_server import HubServer
from support.waiting import until

pytestmark = pytest.mark.skipif(
    edge_functions.missing() is not None, reason=edge_functions.missing() or ""
)


@pytest.fixture
def started(home, tiny, tmp_path, root):
    """Starts the script; everything lives below one folder, by which what is left is found."""
    rows = tiny_model.write_rows(tmp_path / "rows.jsonl", 40)
    (tmp_path / "temporary").mkdir()
    with HubServer({"acme/tiny": tiny}) as hub:
        home.environment.pop("HF_HUB_OFFLINE")
        home.environment.pop("HF_TOKEN", None)
        environment = home.environment | {
            "TMPDIR": str(tmp_path / "temporary"), "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hub"),
            "BASE_MODEL": "acme/tiny", "DATASET": str(rows), "OMP_NUM_THREADS": "1",
        }  # fmt: skip

        def start(**more):
            return subprocess.Popen(
                [root / "examples" / "supabase" / "run.sh"], env=environment | more, cwd=tmp_path,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                start_new_session=True,
            )  # fmt: skip

        yield start


def left(folder):
    """Processes whose temporary folder is this one."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.environ().get("TMPDIR", "").startswith(str(folder))
            if ours and process.status() != "zombie":
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


@pytest.mark.timeout(300)
def test_a_row_is_trained_and_called_back(started, tmp_path):
    process = started(EPOCHS="2")
    said, _ = process.communicate(timeout=280)
    assert process.returncode == 0, said
    lines = [line.strip() for line in said.splitlines()]
    assert any(line.startswith("running, ") for line in lines), said
    assert any(line.startswith("completed, 100 %") for line in lines), said
    assert any(line.startswith("adapter: ") for line in lines), said
    assert any(line.startswith("callback taken: ") and line.endswith(":terminal") for line in lines)
    assert "ptk_" not in said
    assert "whsec_" not in said
    until(lambda: not left(tmp_path / "temporary"), "the end of everything it started", 20)
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.timeout(300)
def test_stopped_in_the_middle_it_leaves_nothing(started, tmp_path):
    process = started(EPOCHS="500")
    for line in process.stdout:
        if "step " in line and "step 0" not in line:
            break
    else:
        raise AssertionError("it ended before a step")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == 130
    until(lambda: not left(tmp_path / "temporary"), "the end of everything it started", 20)
    assert list((tmp_path / "temporary").iterdir()) == []
