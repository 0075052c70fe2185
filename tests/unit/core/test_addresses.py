"""Addresses that a key may be sent to."""

import pytest

from podtune.core.addresses import checked, flaw, is_loopback
from podtune.core.errors import SpecError


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://huggingface.co", "https://huggingface.co"),
        ("https://x.example/v2/", "https://x.example/v2"),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("http://localhost:9000/", "http://localhost:9000"),
        ("http://[::1]:9000", "http://[::1]:9000"),
        ("https://{pod}-{port}.proxy.example", "https://{pod}-{port}.proxy.example"),
    ],
)
def test_an_address_a_key_may_be_sent_to(url, kept):
    assert checked(url, "S") == kept


@pytest.mark.parametrize(
    "url",
    ["", "x", "x.example", "http://", "ftp://x.example", "http://api.runpod.io/v2",
     "https://u:p@x.example", "http://127.0.0.1.example.org", "http://10.0.0.1:9000",
     "http://localhost.example"],
)  # fmt: skip
def test_an_address_nothing_is_sent_to(url):
    with pytest.raises(SpecError, match="RUNPOD_REST_BASE_URL") as caught:
        checked(url, "RUNPOD_REST_BASE_URL")
    assert caught.value.code == "bad_setting"


def test_only_names_of_this_machine_are_loopback():
    assert is_loopback("127.0.0.9")
    assert is_loopback("localhost")
    assert not is_loopback("localhost.example")
    assert not is_loopback("")


@pytest.mark.parametrize(
    "url",
    ["https://x.example/a?token=1", "http://127.0.0.1:8/x", "https://[::1]/", "HTTPS://X.example"],
)
def test_an_address_without_a_flaw(url):
    assert flaw(url, 100) is None


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://x.example/planted" + "a" * 100, "more than 100"),
        ("https://x.example/plan ted", "space"),
        ("https://x.example/\\planted", "backslash"),
        ("https://x.example/\ud800", "printed"),
        ("https://[planted", "understood"),
        ("https://x.example:planted/", "understood"),
        ("ftp://planted", "https://"),
        ("https://planted:planted@x.example", "password"),
        ("https:///planted", "no host"),
        ("https://x.example/#planted", "fragment"),
    ],
)
def test_a_flaw_is_named_and_the_address_is_not(url, words):
    found = flaw(url, 100)
    assert words in found
    assert "planted" not in found
