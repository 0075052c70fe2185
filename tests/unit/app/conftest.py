"""Accounts that adapters are delivered to, with the variables that lead there."""

import pytest

from support.hub_writes import WRITER, WritableHub
from support.supabase_server import SERVICE_KEY, SupabaseServer


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with WritableHub(tmp_path / "hub") as serving:
        monkeypatch.setenv("HF_ENDPOINT", serving.url)
        monkeypatch.setenv("HF_TOKEN", WRITER)
        yield serving


@pytest.fixture
def supabase(monkeypatch):
    with SupabaseServer() as serving:
        monkeypatch.setenv("SUPABASE_URL", serving.url)
        monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", SERVICE_KEY)
        yield serving
