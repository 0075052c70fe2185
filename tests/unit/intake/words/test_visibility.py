"""Who may see the output, and nothing of the input."""

import pytest


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        ("nothing public", "private"), ("einen privaten Adapter", "private"), ("unsere privaten Mails", None), ("public: no", "private"), ("public? no way", "private"), ("public is not ok", "private"), ("nobody but me should see the adapter", "private"), ("only my team may access it", "private"), ("nur für uns sichtbar", "private"), ("nada público", "private"), ("sem publicar nada", "private"), ("it must not be seen by anyone", "private"), ("keep the adapter confidential", "private"),
        ("publish it openly", "public"), ("visible to everyone", "public"), ("so that anyone can download it", "public"), ("für alle zugänglich", "public"),
        ("this is confidential", None), ("the data is confidential", None), ("on the FAQ that everyone can see", None), ("tickets from the public sector", None), ("public transport chats", None), ("I'd hate for this to become public", "private"),
    ],
)  # fmt: skip
def test_visibility(fields, words, seen):
    assert fields(f"qwen3 8b with rows.csv, {words}").get("visibility") == seen


@pytest.mark.parametrize("words", ["publish it openly", "visible to everyone", "public repo ok"])
def test_publishing_is_confirmed(read, words):
    assert "visibility" in read(f"qwen3 8b with rows.csv, {words}").must_confirm
