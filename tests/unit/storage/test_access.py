"""Keys that do not show."""

import pytest
from pydantic import SecretStr

from podtune.core.errors import CredentialsError
from podtune.storage.access import HubAccess, SupabaseAccess


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
