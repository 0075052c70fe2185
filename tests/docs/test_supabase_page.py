"""docs/how-to/supabase.md: its commands, secrets, states and figures are those of the example.

What the page's first block runs is run in `tests/end_to_end/test_supabase_run.py`.
"""

import re
import tomllib

import pytest

from podtune.app import env_block
from support import edge_functions

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NAMES = ("process-training-jobs", "training-callback", "gpu-gateway")


@pytest.fixture(scope="module")
def example(root):
    return root / "examples" / "supabase"


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs/how-to/supabase.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def source(example):
    """Every function's text by its name, and what they share as `_shared`."""
    found = {}
    for folder in (example / "functions").iterdir():
        files = sorted(folder.glob("*.ts"))
        found[folder.name] = "".join(path.read_text(encoding="utf-8") for path in files)
    return found


def test_what_it_runs_is_there(page, example):
    (block,) = [body for language, body in FENCE.findall(page) if language == "bash"]
    assert block.strip() == "examples/supabase/run.sh"
    assert (example / "run.sh").stat().st_mode & 0o111


def test_functions_lie_where_the_deploy_command_looks(page, example):
    """`supabase functions deploy NAME` takes supabase/functions/NAME/index.ts of the current folder."""
    named = re.findall(
        r"^supabase functions deploy ([a-z-]+)( --no-verify-jwt)?$", page, re.MULTILINE
    )
    assert {name for name, _ in named} == set(NAMES)
    assert all((example / "functions" / name / "index.ts").is_file() for name in NAMES)
    assert example.name == "supabase"
    (command,) = [c for c in env_block.commands({}) if c.startswith("supabase functions deploy")]
    assert command in page
    assert (example / env_block.FUNCTION / "index.ts").is_file()
    config = tomllib.loads((example / "config.toml").read_text(encoding="utf-8"))
    assert config == {"functions": {name: {"verify_jwt": False} for name in NAMES}}


def test_every_secret_that_a_function_reads_is_explained(page, source):
    text = "".join(source.values())
    read = set(re.findall(r'(?:setting|address|env\.get)\(\s*"([A-Z_]+)"', text))
    given = {"SUPABASE_URL", "SUPABASE_SECRET_KEYS", "SUPABASE_SERVICE_ROLE_KEY"}
    ours = read - given - {"RUNPOD_ENDPOINT_BASE_URL"}
    assert ours >= {env_block.URL, env_block.KEY, "TRAINING_CRON_KEY", "PODTUNE_WEBHOOK_SECRET"}
    assert {name for name in ours if name not in page} == set()
    set_by = set(re.findall(r"\b([A-Z][A-Z_]{5,})=", page))
    assert set_by <= ours


def test_states_are_those_of_the_table(page, example):
    migration = (example / "migrations/20261123000000_training_jobs.sql").read_text(
        encoding="utf-8"
    )
    (states,) = re.findall(r"status in \(([^)]*)\)", migration)
    known = set(re.findall(r"'(\w+)'", states))
    section = page[page.index("| `status` |") : page.index("- **Nothing is trained twice")]
    firsts = "".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`(\w+)`", firsts)) - {"status"} == known


def test_the_figures_are_those_of_the_functions(page, source, example):
    process, gateway = source["process-training-jobs"], source["gpu-gateway"]
    assert "CLAIM_MS = 10 * 60_000" in process
    assert "10 minutes later another one" in page
    assert "UNKNOWN_MS = 60 * 60_000" in process
    assert "for an hour is `failed`" in page
    assert '"TRAINING_CRON_KEY", 24' in process
    assert "24 characters at least" in page
    assert "TOLERANCE_S = 300" in source["_shared"]
    assert "older than 5 minutes" in page
    assert "HOURS = 12;" in gateway
    assert "`GPU_GATEWAY_MAX_HOURS`, 12 unless set" in page
    cron = (example / "migrations/20261123000100_training_cron.sql").read_text(encoding="utf-8")
    assert "'30 seconds'" in cron
    assert "every 30 seconds" in page
    vault = [b for language, b in FENCE.findall(page) if language == "sql"]
    assert set(re.findall(r"'(\w+)'\);", vault[0])) == set(
        re.findall(r"where name = '(\w+)'", cron)
    )


def test_the_row_that_the_page_inserts_may_be_inserted(page, example):
    (block,) = [body for language, body in FENCE.findall(page) if language == "ts"]
    (columns,) = re.findall(r"\.insert\(\{(.*?)\n\}\)", block, re.DOTALL)
    named = set(re.findall(r"^  (\w+):", columns, re.MULTILINE))
    migration = (example / "migrations/20261123000000_training_jobs.sql").read_text(
        encoding="utf-8"
    )
    (granted,) = re.findall(r"grant insert \(([^)]*)\)", migration)
    assert named <= set(granted.split(", "))


def test_the_stand_in_is_none_of_the_functions(example):
    """What is deployed reaches nothing of what only plays."""
    for path in (example / "functions").rglob("*.ts"):
        assert "local/" not in path.read_text(encoding="utf-8")
    assert edge_functions.LOCAL.is_dir()
