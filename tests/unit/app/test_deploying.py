import pytest

from podtune.app import deploying
from podtune.core.errors import CredentialsError, SpecError

NAMES = (
    "SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY", "PODTUNE_REGISTRY_USER",
    "PODTUNE_REGISTRY_PASSWORD", "RUNPOD_API_KEY",
)  # fmt: skip


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_without_anything_set_only_the_owner_is_there(settings):
    found = deploying.here(settings, with_service_key=False)
    assert found == (deploying.owner_of(settings), None, None, None)
    assert len(found.owner) == 8


def test_the_service_key_comes_only_when_it_is_asked_for(settings, monkeypatch):
    monkeypatch.setenv("SUPABASE_URL", "https://x.supabase.co/")
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "planted-service-key")
    quiet = deploying.here(settings, with_service_key=False)
    assert (quiet.supabase_url, quiet.service_key) == ("https://x.supabase.co", None)
    handed = deploying.here(settings, with_service_key=True)
    assert handed.service_key is not None
    assert "planted" not in repr(handed)


def test_a_service_key_that_is_not_set_cannot_be_handed_over(settings):
    with pytest.raises(CredentialsError, match="SUPABASE_SERVICE_ROLE_KEY"):
        deploying.here(settings, with_service_key=True)


def test_half_a_login_is_refused(settings, monkeypatch):
    monkeypatch.setenv("PODTUNE_REGISTRY_USER", "me")
    with pytest.raises(SpecError, match="PODTUNE_REGISTRY_PASSWORD is not set"):
        deploying.here(settings, with_service_key=False)
    monkeypatch.setenv("PODTUNE_REGISTRY_PASSWORD", "planted-password")
    found = deploying.here(settings, with_service_key=False)
    assert found.registry_login is not None
    assert "planted" not in repr(found)


def test_the_gateways_address_is_checked(settings):
    def gateway(url):
        return deploying.gateway_of(settings.model_copy(update={"gateway_url": url}))

    assert gateway("") == ""
    assert gateway("https://g.example.org/") == "https://g.example.org"
    with pytest.raises(SpecError, match="PODTUNE_GATEWAY_URL"):
        gateway("http://g.example.org")


def test_clients_need_a_key(monkeypatch):
    for make in (deploying.client_of, deploying.queue_of):
        with pytest.raises(CredentialsError):
            make()
    monkeypatch.setenv("RUNPOD_API_KEY", "rpa_x")
    deploying.client_of().close()
    deploying.queue_of().close()
