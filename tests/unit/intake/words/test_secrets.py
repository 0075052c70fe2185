"""Secrets are blotted out first, and what merely begins like one is not."""

import pytest

from podtune.intake.words.secrets import MASK, mask


@pytest.mark.parametrize(
    "secret",
    [
        "hf_AbCdEfGhIjKlMnOpQr012345",
        "sk-proj-abc123def456ghi789",
        "ghp_0123456789abcdefABCDEF",
        "AKIAABCDEFGH12345678",
        "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.abc",
    ],
)
def test_a_key(read, secret):
    masked, found = mask(f"my key {secret} ok")
    assert found
    assert secret not in masked
    assert len(masked) == len(f"my key {secret} ok")
    parsed = read(f"qwen3 8b on rows.csv, my token is {secret}")
    assert "secret_in_request" in parsed.flags
    assert secret not in str(parsed)
    assert MASK not in str(parsed.to_json())


@pytest.mark.parametrize(
    "words",
    [
        "my password is hunter2x",
        "api_key=0123abcd4567efgh",
        "https://bob:pass1@x.org/a",
        "https://x.org/a?X-Amz-Signature=abcdef012345",
    ],
)
def test_named(read, words):
    assert "secret_in_request" in read(f"qwen3 8b on rows.csv, {words}").flags


@pytest.mark.parametrize(
    "words",
    [
        "sk-learn-notes.csv",
        "hf_export.jsonl",
        "max tokens 2048",
        "rp_tickets.csv",
        "the key idea is simple",
    ],
)
def test_no_key(words):
    assert mask(words) == (words, False)
