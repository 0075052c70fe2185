import pytest

from support import tiny_model, worker_jobs


@pytest.fixture(scope="session")
def trained(tmp_path_factory, tiny, root):
    """A job folder in which the worker program has trained, saved and proved a tiny adapter."""
    folder = tmp_path_factory.mktemp("trained")
    data = tiny_model.write_rows(folder / "tickets.jsonl", 40)
    stated = {**worker_jobs.QUICK, "training.epochs": 8, "evaluate.samples": 3,
              "adapter.dropout": 0.05}  # fmt: skip
    job = worker_jobs.make(folder / "job", tiny, data, stated)
    done = worker_jobs.run(job, root)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return job
