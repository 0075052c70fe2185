"""Names near one that is not there."""

from types import SimpleNamespace

import pytest

from podtune.storage import hub_names

LISTED = {
    "Qwen": ["Qwen/Qwen3-8B", "Qwen/Qwen3-8B-GGUF", "Qwen/Qwen3-14B", "Qwen/Qwen2.5-Math-7B"],
    "mistralai": ["mistralai/Mistral-7B-Instruct-v0.2", "mistralai/Mistral-7B-Instruct-v0.3"],
}


class Listing:
    """Answers as the Hub's client does: by author, or by a word of the name."""

    def __init__(self) -> None:
        self.asked: list[dict[str, object]] = []

    def list_models(self, *, limit, author=None, search=None):
        self.asked.append({"author": author, "search": search})
        every = [one for names in LISTED.values() for one in names]
        chosen = LISTED.get(author, []) if author else every
        word = (search or "").lower()
        return (SimpleNamespace(id=one) for one in chosen[:limit] if word in one.lower())


class Broken:
    def list_models(self, **query):
        raise OSError("no route")


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ("Qwen/Qwen3-8b-Instruct", "Qwen/Qwen3-8B"),
        ("Qwen/Qwen-3-14B", "Qwen/Qwen3-14B"),
        ("mistralai/Mistral-7B-Instruct-0.2", "mistralai/Mistral-7B-Instruct-v0.2"),
        ("Qwen/Qwen3-8B-GGUF", "Qwen/Qwen3-8B"),
    ],
)
def test_the_nearest_name_comes_first(asked, first):
    assert hub_names.nearest(asked, Listing())[0] == first


def test_an_unknown_owner_is_looked_past():
    listing = Listing()
    assert hub_names.nearest("qwenn/Qwen3-8B", listing)[0] == "Qwen/Qwen3-8B"
    assert [one["author"] for one in listing.asked] == ["qwenn", None]


def test_packed_copies_are_never_named():
    assert not [n for n in hub_names.nearest("Qwen/Qwen3-8B-GUF", Listing()) if "GGUF" in n]


def test_nothing_like_it_gives_no_words():
    assert hub_names.words("Qwen/entirely-other-thing-zzzzzz", Listing()) == ""


def test_a_hub_that_does_not_answer_gives_no_words():
    assert hub_names.words("Qwen/Qwen3-8B", Broken()) == ""


def test_words_name_what_was_found():
    assert hub_names.words("Qwen/Qwen3-8", Listing()).startswith("did you mean Qwen/Qwen3-8B")
