"""Requests made from the OpenAPI document: whatever is sent, the answer is one that the document knows."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from podtune.core.access import Scope
from support import gateways

SECONDS = 90
"""What all of it may take; a request takes milliseconds, and there are as many as `EXAMPLES` says."""
EXAMPLES = 6
"""For each operation, besides those that cover every bound of every parameter."""
# One worker: two of schemathesis 4.32 share hypothesis' caches without a lock, and fail by themselves now and then.
CHECKS = (
    "not_a_server_error", "response_schema_conformance", "status_code_conformance",
    "content_type_conformance",
)  # fmt: skip


@pytest.fixture
def gateway(tmp_path):
    """Nothing is fetched from anywhere, and nothing is driven."""
    settings = gateways.settings(
        tmp_path, egress_allow_hosts="nowhere.invalid", requests_per_minute=0, submits_per_minute=0
    )
    with gateways.Gateway(settings) as made:
        yield made


@pytest.mark.timeout(SECONDS + 30)
def test_every_answer_is_one_that_the_document_knows(gateway, tmp_path):
    program = shutil.which("schemathesis", path=Path(sys.executable).parent)
    if program is None:
        pytest.skip("schemathesis is not installed")
    key = gateway.key(*Scope)
    done = subprocess.run(
        [
            program, "run", f"{gateway.url}/openapi.json", "--checks", ",".join(CHECKS),
            "--max-examples", str(EXAMPLES), "--phases", "examples,coverage,fuzzing", "--seed", "7",
            "--request-timeout", "20", "--no-color", "--max-failures", "20", "--workers", "1",
            "-H", f"Authorization: Bearer {key}",
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert not [line for line in gateway.lines() if line["level"] == "error"]
