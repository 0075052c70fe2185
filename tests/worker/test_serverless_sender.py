"""Progress goes out one at a time, and none is on its way when the result is."""

import threading

from serverless_sender import Sender, platform_update

JOB = {"id": "e1"}


class Platform:
    """As the SDK: a thread for each update."""

    def __init__(self):
        self.gate = threading.Event()
        self.arrived = []

    def update(self, job, progress):
        threading.Thread(target=self._arrive, args=(job, progress), daemon=True).start()

    def _arrive(self, job, progress):
        self.gate.wait(10)
        self.arrived.append((job, progress))


def test_the_next_waits_for_the_one_on_its_way():
    platform = Platform()
    sender = Sender(JOB, platform.update)
    assert sender.is_free()
    sender.send({"progress": 1})
    assert not sender.is_free()
    platform.gate.set()
    assert sender.drain(10)
    assert sender.is_free()
    assert platform.arrived == [(JOB, {"progress": 1})]


def test_waiting_has_an_end():
    platform = Platform()
    sender = Sender(JOB, platform.update)
    sender.send({"progress": 1})
    assert not sender.drain(0.05)
    platform.gate.set()
    assert sender.drain(10)


def test_what_the_sdk_raises_stops_nothing(caplog):
    def update(job, progress):
        raise RuntimeError("no loop")

    sender = Sender(JOB, update)
    sender.send({"progress": 1})
    assert sender.drain(1)
    assert "no loop" not in caplog.text


def test_nobody_to_tell():
    sender = Sender(JOB, None)
    sender.send({"progress": 1})
    assert sender.drain(0)


def test_the_platforms_own_function_has_the_sdks_name():
    """Imported in a fresh process: the SDK changes logging and signals when it is imported."""
    import subprocess
    import sys

    code = "import sys; sys.path.insert(0, sys.argv[1]); import serverless_sender as s; print(s.platform_update().__name__)"
    from pathlib import Path

    worker = Path(platform_update.__code__.co_filename).parent
    done = subprocess.run(
        [sys.executable, "-c", code, worker], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip().endswith("progress_update"), done.stderr[-800:]
