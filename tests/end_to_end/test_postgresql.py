"""A job on a PostgreSQL store: real command line, driver, worker and server, and the server goes away."""

import pytest

from support import postgres_server, tiny_model
from support.postgres_server import PASSWORD, PostgresServer

STEPS = 120


@pytest.fixture
def server():
    if reason := postgres_server.missing():
        pytest.skip(reason)
    with PostgresServer() as made:
        yield made


def holding(folder, secret):
    """Files below a folder that hold a secret."""
    return [p for p in folder.rglob("*") if p.is_file() and secret in p.read_bytes()]


@pytest.mark.timeout(300)
def test_a_job_goes_on_while_its_store_comes_and_goes(home, tiny, tmp_path, server):
    url = server.fresh()
    home.environment["PODTUNE_DATABASE_URL"] = url
    data = tiny_model.write_rows(tmp_path / "rows.jsonl", 60)
    job = home.json(
        "train", data, "--model", tiny, "--detach",
        "--set", f"training.max_steps={STEPS}", "--set", "training.epochs=100",
        "--set", "training.effective_batch={tokens: 256}", "--set", "evaluate.samples=1",
    )["id"]  # fmt: skip
    home.wait_for_step(job, 10)
    server.stop()
    home.wait_for_step(job, 40)
    lost = home.run("status", job)
    assert lost.returncode == 7
    assert "PODTUNE_DATABASE_URL" in lost.stderr
    server.start()

    def finished():
        (found,) = home.json("jobs")
        return found if found["phase"] == "done" else None

    ended = home.wait_for(finished, f"the end of {job}", 240)
    assert (ended["outcome"], ended["attempt"]) == ("completed", 1)
    assert "cannot be used" in home.driver_log(), "the driver noticed"
    assert not (home.path / "podtune.db").exists()
    assert holding(home.path, PASSWORD.encode()) == []
    assert PASSWORD not in lost.stdout + lost.stderr
