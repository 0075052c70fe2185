"""A gateway that is killed while it prepares a submission: another goes on, under the same id."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from podtune.app import driver
from podtune.app.service import Service
from support import desks, homes, waiting
from support.odd_server import OddServer, response

GATEWAY = """
import sys, threading
from pathlib import Path
from podtune.app.service import Service
from podtune.app.settings import Settings
from support import desks

home, port, source, model = sys.argv[1:]
settings = Settings(home=Path(home), egress_http=True, egress_private_hosts=f"127.0.0.1:{port}")
office = desks.Office(Service(settings))
asked = desks.asked(source, "a", base_model__name=model)
print(office.here.submit(asked, wait_s=0).id, flush=True)
threading.Event().wait()
"""


@pytest.fixture
def server(tmp_path):
    """Sends half of the data and waits, the first time."""
    rows = response(200, homes.data(tmp_path / "user").read_bytes())
    begun, let = threading.Event(), threading.Event()
    with OddServer({}) as made:

        def slowly(socket):
            socket.sendall(rows[:-40])
            begun.set()
            let.wait(60)

        made.answers["/rows.jsonl"] = slowly
        yield made, begun, rows
        let.set()


def test_a_killed_gateway_loses_nothing(server, tmp_path, monkeypatch):
    made, begun, rows = server
    monkeypatch.setattr(driver, "spawn", lambda settings: None)
    model = homes.model(tmp_path / "user" / "model")
    settings = homes.settings(tmp_path).model_copy(
        update={"egress_http": True, "egress_private_hosts": f"127.0.0.1:{made.port}"}
    )
    address = f"http://127.0.0.1:{made.port}/rows.jsonl?X-Amz-Signature={desks.SECRET}"
    given = (settings.home, made.port, address, model)
    root = Path(desks.__file__).resolve().parents[2]
    path = f"{root / 'src'}:{root / 'tests'}"
    process = subprocess.Popen(
        [sys.executable, "-c", GATEWAY, *map(str, given)],
        stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        job_id = process.stdout.readline().strip()
        assert begun.wait(60)
    finally:
        process.kill()
        process.communicate()
    office = desks.Office(Service(settings))
    assert office.here.status(job_id).phase == "downloading"
    assert office.submissions.recover() == 0, "its claim has not ended"
    made.answers["/rows.jsonl"] = rows
    desks.abandon(office)
    assert office.submissions.recover() == 1
    found = desks.settled(office.here, job_id)
    assert (found.state, found.id, found.name) == ("accepted", job_id, "a")
    again = office.here.submit(desks.asked(address, "a", base_model__name=str(model)))
    assert (again.id, again.duplicate) == (job_id, True)
    waiting.until(lambda: not desks.litter(office.service))
    assert desks.rows_in(office.service) == 1
    office.close()
    office.service.close()
