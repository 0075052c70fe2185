"""Addresses that a key may be sent to, and keys that do not show."""

import pytest
from pydantic import SecretStr

from podtune.core.errors import CredentialsError, SpecError
from podtune.storage import access
from podtune.storage.access import HubAccess, SupabaseAccess


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://huggingface.co", "https://huggingface.co"),
        ("https://x.example/base/", "https://x.example/base"),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("http://localhost:9000/", "http://localhost:9000"),
        ("http://[::1]:9000", "http://[::1]:9000"),
    ],
)
def test_an_address_a_key_may_be_sent_to(url, kept):
    assert access.checked(url, "HF_ENDPOINT") == kept


@pytest.mark.parametrize(
    "url",
    ["http://x.example", "ftp://x.example", "x.example", "http://", "https://u:p@x.example",
     "http://127.0.0.1.example.org", "http://10.0.0.1:9000", "http://localhost.example"],
)  # fmt: skip
def test_an_address_nothing_is_sent_to(url):
    with pytest.raises(SpecError, match="SUPABASE_URL") as caught:
        access.checked(url, "SUPABASE_URL")
    assert caught.value.code == "bad_setting"


@pytest.mark.parametrize("token", [None, SecretStr(""), SecretStr("  ")])
def test_no_token_says_where_to_get_one(token):
    with pytest.raises(CredentialsError, match="HF_TOKEN") as caught:
        HubAccess(token).key()
    assert "huggingface.co/settings/tokens" in (caught.value.hint or "")


def test_keys_do_not_show():
    shown = repr(HubAccess(SecretStr("hf_planted"))) + repr(
        SupabaseAccess("https://x.supabase.co", SecretStr("planted"))
    )
    assert "planted" not in shown
    assert HubAccess(SecretStr(" hf_planted\n")).key() == "hf_planted"
