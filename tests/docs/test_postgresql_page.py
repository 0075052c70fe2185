"""docs/how-to/postgresql.md: its blocks run on a real server, and its figures are the code's."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from podtune.core.states import JobPhase
from podtune.workflow import postgres as module
from podtune.workflow.driver import PACE
from podtune.workflow.store import JobStore
from support import build, postgres_server

FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
ADDRESS = re.compile(r"postgresql://(\S+)@db\.example:5432/(\w+)")


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs/how-to/postgresql.md").read_text(encoding="utf-8")


@pytest.fixture
def run(tmp_path):
    """Runs a block as a user of one host would; what it printed."""
    paths = [str(Path(sys.executable).parent), str(postgres_server.programs())]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PODTUNE_")}
    environment = {
        **kept, "PODTUNE_HOME": str(tmp_path / "home"), "COLUMNS": "200",
        "PATH": os.pathsep.join([*paths, "/usr/bin", "/bin"]),
    }  # fmt: skip

    def ran(script):
        done = subprocess.run(
            ["bash", "-c", f"set -eu\n{script}"], env=environment, cwd=tmp_path,
            capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return ran


@pytest.mark.timeout(300)
def test_the_blocks_run_from_the_new_database_to_its_backup(page, run, tmp_path):
    if reason := postgres_server.missing():
        pytest.skip(reason)
    blocks = FENCE.findall(page)
    (sql,) = [body for language, body in blocks if language == "sql"]
    set_up, backup = [body for language, body in blocks if language == "bash"]
    with postgres_server.PostgresServer() as server:
        for statement in sql.split(";"):
            if statement.strip():
                server.execute(statement)
        user, database = ADDRESS.search(set_up).groups()
        url = f"postgresql://{user}@127.0.0.1:{server.port}/{database}"
        here = ADDRESS.sub(url, set_up)
        assert "none yet" in run(here)
        store = JobStore(tmp_path / "none.db", url=url)
        job = build.job(phase=JobPhase.DONE)
        store.add(job)
        store.close()
        assert job.id in run(here)
        run(f"export PODTUNE_DATABASE_URL={url}\n{backup}")
        empty = server.fresh()
        restore = re.search(r"`(pg_restore [^`]+)`", page)[1]
        run(restore.replace("ADDRESS", empty))
        restored = JobStore(tmp_path / "none.db", url=empty)
        assert [found.id for found in restored.recent()] == [job.id]
        restored.close()


def test_its_figures_are_those_of_the_code(page):
    assert f"After {PACE.lease_s:g} s without one" in page
    assert f"tries again for {({600: 'ten'})[PACE.store_s]} minutes" in page
    engine = module.PostgresDatabase("postgresql:///d").engine()
    most = engine.pool.size() + engine.pool._max_overflow
    assert f"At most {most} connections" in page
