"""Our own small requests to the Hub, against a stand-in with accounts."""

import hashlib

import httpx2
import pytest
from pydantic import SecretStr

from podtune.core.errors import (
    CredentialsError,
    NotFoundError,
    PodtuneError,
    SpecError,
    UnsupportedError,
)
from podtune.storage.access import HubAccess
from podtune.storage.hub_account import HubAccount, HubEntry, of_environment
from podtune.storage.object_wire import ObjectWire
from support.hub_writes import POD, READER, STRANGER, WRITER, WritableHub

LARGE = b"l" * 5000


@pytest.fixture
def hub(tmp_path):
    with WritableHub(tmp_path / "hub") as serving:
        yield serving


def account(hub, token=WRITER):
    return HubAccount(HubAccess(SecretStr(token), hub.url))


@pytest.mark.parametrize(("token", "role"), [(WRITER, "write"), (POD, "fineGrained")])
def test_whose_token_it_is(hub, token, role):
    who = account(hub, token).who()
    assert (who.name, who.role) == ("anna", role)


def test_a_rejected_token_is_told(hub):
    with pytest.raises(CredentialsError) as caught:
        account(hub, "hf_planted_wrong").who()
    assert caught.value.code == "token_rejected"
    assert "planted" not in str(caught.value.to_json())


def test_no_token_asks_nothing(hub):
    with pytest.raises(CredentialsError, match="HF_TOKEN"):
        HubAccount(HubAccess(None, hub.url)).who()
    assert not hub.requests


@pytest.mark.parametrize(("kind", "prefix"), [("dataset", "datasets/"), ("model", "")])
def test_a_repository_is_made_private(hub, kind, prefix):
    ours = account(hub)
    assert ours.repository(kind, "anna/x") is None
    for _ in range(2):
        ours.create(kind, "anna/x", private=True)
    assert ours.repository(kind, "anna/x").private
    assert hub.repositories.keys() == {f"{prefix}anna/x"}
    ours.set_visibility(kind, "anna/x", private=False)
    assert not ours.repository(kind, "anna/x").private
    for _ in range(2):
        ours.delete(kind, "anna/x")
    assert not hub.repositories


def test_strangers_see_nothing_private(hub):
    hub.make("anna/x", {"f": b"1"})
    assert account(hub, STRANGER).repository("model", "anna/x") is None
    assert account(hub, STRANGER).files("model", "anna/x") == ()


@pytest.mark.parametrize("token", [READER, STRANGER])
def test_a_token_that_may_not_is_told(hub, token):
    with pytest.raises(CredentialsError) as caught:
        account(hub, token).create("model", "team/x", private=True)
    assert caught.value.code == "token_scope"


def test_files_and_their_sums(hub, tmp_path):
    hub.make("anna/x", {"README.md": b"card", "a/big.bin": LARGE})
    small, large = account(hub).files("model", "anna/x")
    assert (small.path, small.size_bytes, small.sha256) == ("README.md", 4, None)
    assert (large.path, large.sha256) == ("a/big.bin", hashlib.sha256(LARGE).hexdigest())
    for entry, content in ((small, b"card"), (large, LARGE)):
        (tmp_path / "f").write_bytes(content)
        assert entry.is_file(tmp_path / "f")
        for other in (content[:-1], content[:-1] + b"?"):
            (tmp_path / "f").write_bytes(other)
            assert not entry.is_file(tmp_path / "f")


def test_a_small_file_is_read_a_large_one_brought(hub, tmp_path):
    hub.make("datasets/anna/x", {"result.json": b"{}", "bundle.tar": LARGE})
    ours = account(hub)
    assert ours.read("dataset", "anna/x", "result.json") == b"{}"
    assert ours.read("dataset", "anna/x", "bundle.tar") == LARGE
    got = ours.get("dataset", "anna/x", "bundle.tar", tmp_path / "b")
    assert (got.sha256, (tmp_path / "b").read_bytes()) == (hashlib.sha256(LARGE).hexdigest(), LARGE)
    assert ours.read("dataset", "anna/x", "none") is None
    assert ours.get("dataset", "anna/x", "none", None) is None


def test_the_token_is_sent_to_the_hub_alone(hub):
    hub.make("anna/x", {"big": LARGE})
    account(hub).get("model", "anna/x", "big", None)
    assert hub.sent_away == [None]


def test_an_address_signed_by_the_hub_needs_no_token(hub):
    hub.make("datasets/anna/x", {"big": LARGE, "small": b"1"})
    url = account(hub).signed_address("dataset", "anna/x", "big", "main")
    assert httpx2.get(url).content == LARGE
    assert WRITER not in url
    assert account(hub).signed_address("dataset", "anna/x", "small", "main") is None
    with pytest.raises(NotFoundError):
        account(hub).signed_address("dataset", "anna/x", "none", "main")


def answering(*answers):
    left = list(answers)
    wire = ObjectWire(
        "the Hub", transport=httpx2.MockTransport(lambda _: left.pop(0)), sleep=lambda _: None
    )
    return HubAccount(HubAccess(SecretStr(WRITER), "https://hub.example"), wire)


@pytest.mark.parametrize("led", ["http://elsewhere.example/x", "ftp://x.example/", "file:///etc"])
def test_a_redirect_to_plain_http_is_not_followed(led):
    with pytest.raises(PodtuneError, match="not https"):
        answering(httpx2.Response(302, headers={"Location": led})).read("model", "a/b", "f")


def test_a_redirect_on_the_hub_itself_keeps_the_token():
    seen = []

    def handler(request):
        seen.append(request.headers.get("Authorization"))
        if len(seen) == 1:
            return httpx2.Response(307, headers={"Location": "/api/resolve-cache/f"})
        return httpx2.Response(200, content=b"1")

    wire = ObjectWire("the Hub", transport=httpx2.MockTransport(handler))
    ours = HubAccount(HubAccess(SecretStr(WRITER), "https://hub.example"), wire)
    assert ours.read("model", "a/b", "f") == b"1"
    assert seen == [f"Bearer {WRITER}"] * 2


def test_redirects_without_end_are_given_up():
    led = [httpx2.Response(302, headers={"Location": "https://x.example/"})] * 9
    with pytest.raises(PodtuneError, match="302"):
        answering(*led).read("model", "a/b", "f")


def test_a_repository_that_does_not_say_it_is_private_is_public():
    assert (
        not answering(httpx2.Response(200, json={"id": "a/b"})).repository("model", "a/b").private
    )


@pytest.mark.parametrize("body", [b"", b"[]", b'{"name": 5}', b"\xff"])
def test_an_answer_that_cannot_be_read(body):
    with pytest.raises(PodtuneError, match="cannot be read"):
        answering(httpx2.Response(200, content=body)).who()


def test_more_files_than_any_adapter():
    more = httpx2.Response(200, json=[], headers={"Link": '<https://x>; rel="next"'})
    with pytest.raises(UnsupportedError):
        answering(more).files("model", "a/b")


def test_plain_http_to_another_machine_is_refused():
    with pytest.raises(SpecError, match="HF_ENDPOINT"):
        HubAccount(HubAccess(SecretStr(WRITER), "http://hub.example"))


def test_the_token_of_the_environment(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", WRITER)
    assert of_environment(hub.url).who().name == "anna"
    assert WRITER not in repr(account(hub).token)


def test_an_entry_that_is_shorter_is_another(tmp_path):
    (tmp_path / "f").write_bytes(b"12")
    assert not HubEntry("f", 1, None, "").is_file(tmp_path / "f")
