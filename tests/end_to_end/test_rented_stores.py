"""A rented machine whose work travels by a store: this machine may be off meanwhile."""

import signal

import pytest

from podtune.testing.dev import IMAGE, laptop_cloud
from podtune.testing.options import CloudOptions
from podtune.testing.server import CloudServer
from support import tiny_model
from support.supabase_server import SERVICE_KEY, SupabaseServer

QUICK = {
    "PODTUNE_PROOF_WINDOW_S": "1",
    "PODTUNE_SETTLE_S": "2",
    "PODTUNE_UPLOAD_RESERVE_S": "20",
    "PODTUNE_BOOT_LIMIT_S": "60",
    "OMP_NUM_THREADS": "1",
}


@pytest.fixture
def cloud(tmp_path):
    options = CloudOptions(provisioning_s=0.2, pull_s=0.3, listing_lag_s=0.5)
    with CloudServer(laptop_cloud(tmp_path / "cloud", options)) as server:
        yield server


def test_an_adapter_that_was_delivered_while_this_machine_was_off(cloud, home, tiny, tmp_path):
    """The driver dies in mid-training; the machine finishes, delivers, ends itself, and is gone."""
    rows = tiny_model.write_rows(tmp_path / "rows.jsonl", 60)
    with SupabaseServer(buckets={}) as store:
        home.environment |= {**cloud.environment(), **QUICK}
        home.environment |= {"SUPABASE_URL": store.url, "SUPABASE_SERVICE_ROLE_KEY": SERVICE_KEY}
        begun = home.run(
            "train", rows, "--model", tiny, "--on", "runpod", "--budget", "1", "--yes", "--detach",
            "--gpu", "Stand-in CPU", "--image", IMAGE, "--store", "supabase",
            "--set", "training.max_steps=40", "--set", "training.epochs=100",
            "--set", "training.effective_batch={tokens: 256}", "--set", "evaluate.samples=1",
            "--set", "data.validation=0", timeout=100,
        )  # fmt: skip
        assert begun.returncode == 0, begun.stderr
        (job,) = home.json("jobs")
        home.wait_for_step(job["id"], 3)
        for driver in home.drivers():
            driver.send_signal(signal.SIGKILL)
        home.wait_for(lambda: not cloud.cloud.account.live_pods(), "the machine's own end", 120)

        watched = home.run("watch", job["id"], timeout=100)
        assert watched.returncode == 0, watched.stdout + watched.stderr + home.driver_log()
        assert "40 steps in" in watched.stdout, "figures come with the outcome"
        assert home.json("receipt", job["id"], "--verify")["valid"]
        kinds = {path.rsplit("/", 1)[1] for _, path in store.objects}
        assert kinds == {"adapter.tar.gz", "result.json"}, "the rows left the store"
