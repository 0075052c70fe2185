import pytest
from pydantic import SecretStr

from podtune.core.errors import CredentialsError, SpecError
from podtune.providers.runpod.access import RunPodAccess, checked, is_loopback


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


def test_a_proxy_of_ones_own():
    access = RunPodAccess(api_key=None, proxy_url="http://127.0.0.1:80/proxy/{pod}-{port}/")
    assert access.port_url("p1", 8466) == "http://127.0.0.1:80/proxy/p1-8466"


@pytest.mark.parametrize("url", ["https://x.example/v2/", "http://127.0.0.1:1/v2", "http://[::1]:1", "http://localhost"])  # fmt: skip
def test_good_addresses(url):
    assert checked(url, "S") == url.rstrip("/")


@pytest.mark.parametrize("url", ["", "ftp://x", "x", "http://api.runpod.io/v2", "http://127.0.0.1.evil.test", "https://a:b@x.example", "http://10.0.0.1"])  # fmt: skip
def test_bad_addresses(url):
    with pytest.raises(SpecError) as caught:
        checked(url, "RUNPOD_REST_BASE_URL")
    assert caught.value.code == "bad_setting"
    assert "RUNPOD_REST_BASE_URL" in caught.value.message


def test_only_names_of_this_machine_are_loopback():
    assert is_loopback("127.0.0.9")
    assert is_loopback("localhost")
    assert not is_loopback("localhost.example")
