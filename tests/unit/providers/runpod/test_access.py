import pytest
from pydantic import SecretStr

from podtune.core.errors import CredentialsError
from podtune.providers.runpod.access import RunPodAccess


def test_the_defaults_are_runpods_own():
    access = RunPodAccess(api_key=None)
    assert access.rest_url == "https://api.runpod.io/v2"
    assert access.jobs_url == "https://api.runpod.ai/v2"
    assert access.port_url("abc", 8466) == "https://abc-8466.proxy.runpod.net"


@pytest.mark.parametrize("key", [None, SecretStr(""), SecretStr("  ")])
def test_without_a_key_it_says_where_to_get_one(key):
    with pytest.raises(CredentialsError) as caught:
        RunPodAccess(api_key=key).key()
    assert caught.value.code == "missing_key"
    assert "console.runpod.io" in (caught.value.hint or "")


def test_the_key_shows_only_when_it_is_sent():
    access = RunPodAccess(api_key=SecretStr(" rpa_abcdefghijk\n"))
    assert access.key() == "rpa_abcdefghijk"
    assert "abcdefghijk" not in repr(access)


@pytest.mark.parametrize("key", ["rp_abcdefghijk", "vk_1234567"])
def test_a_key_that_begins_otherwise_is_told_and_sent(key):
    access = RunPodAccess(api_key=SecretStr(key))
    assert access.key() == key
    assert "does not begin with rpa_" in (access.odd_key or "")
    assert key not in (access.odd_key or "")


@pytest.mark.parametrize("key", [None, "", " rpa_abcdefghijk\n"])
def test_a_key_that_looks_right_or_none_needs_no_word(key):
    assert RunPodAccess(api_key=SecretStr(key) if key is not None else None).odd_key is None


def test_a_proxy_of_ones_own():
    access = RunPodAccess(api_key=None, proxy_url="http://127.0.0.1:80/proxy/{pod}-{port}/")
    assert access.port_url("p1", 8466) == "http://127.0.0.1:80/proxy/p1-8466"
