from pathlib import Path

import pytest

from support import tiny_model


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model folder, made once a session."""
    return tiny_model.make(tmp_path_factory.mktemp("tiny") / "model")
