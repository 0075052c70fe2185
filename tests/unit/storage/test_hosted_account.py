"""An account on a real socket; its own gateway as an account: tests/unit/app/test_import_openai.py."""

import json

import pytest
from pydantic import SecretStr

from podtune.core.errors import (
    CredentialsError,
    NotFoundError,
    ProviderError,
    SpecError,
    UnavailableError,
)
from podtune.storage.hosted_account import HostedAccount
from podtune.storage.object_wire import ObjectWire
from support.odd_server import OddServer, response

KEY = SecretStr("sk-planted-secret-key-000")
LIST = "/v1/fine_tuning/jobs"


def account(server):
    wire = ObjectWire("the hosted API", sleep=lambda _: None)
    return HostedAccount(KEY, f"http://127.0.0.1:{server.port}/v1", wire)


def page(*data, has_more=False):
    return response(
        200, json.dumps({"object": "list", "data": data, "has_more": has_more}).encode()
    )


def job(name, **more):
    return {"id": name, "model": "gpt-4o-mini", "training_file": "file-1", **more}


def in_turn(server, *pages):
    """Answer with one page after the other, whatever is asked."""
    left = list(pages)
    server.answers[LIST] = lambda connection: connection.sendall(left.pop(0))


def test_all_pages_are_read():
    with OddServer({}) as server:
        in_turn(server, page(job("a"), job("b"), has_more=True), page(job("c")))
        assert [one.id for one in account(server).jobs()] == ["a", "b", "c"]
        assert "&after=b " in server.requests[1]
        assert "authorization: bearer sk-" in server.requests[0].lower()


def test_a_list_that_never_ends_is_left():
    with OddServer({LIST: page(job("a"), has_more=True)}) as server:
        assert len(account(server).jobs()) == 2


def test_hyperparameters_wherever_they_stand():
    old = job("a", hyperparameters={"n_epochs": 3, "batch_size": "auto"})
    dpo = {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.2, "n_epochs": "auto"}}}
    with OddServer({LIST: page(old, job("b", method=dpo, hyperparameters=None))}) as server:
        first, second = account(server).jobs()
    assert (first.figures.n_epochs, first.figures.batch_size, first.kind) == (3, None, "supervised")
    assert (second.figures.beta, second.figures.n_epochs, second.is_dpo) == (0.2, None, True)


@pytest.mark.parametrize(
    "data", [{"id": "../x", "model": "m", "training_file": "f"}, {"id": "a"}, {"id": 3}]
)
def test_what_cannot_be_an_object_is_refused(data):
    with OddServer({LIST: page(data)}) as server, pytest.raises(ProviderError) as caught:
        account(server).jobs()
    assert caught.value.code == "vendor_answer"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, CredentialsError),
        (403, CredentialsError),
        (404, NotFoundError),
        (500, UnavailableError),
    ],
)
def test_refusals_name_no_key(status, kind):
    with OddServer({LIST: response(status)}) as server, pytest.raises(kind) as caught:
        account(server).jobs()
    assert "planted" not in str(caught.value.to_json())


def test_a_download_comes_whole_or_not_at_all(tmp_path):
    with OddServer({"/v1/files/file-1/content": response(200, b"rows\n")}) as server:
        assert len(account(server).download("file-1", tmp_path / "a")) == 64
        assert (tmp_path / "a").read_bytes() == b"rows\n"
        with pytest.raises((NotFoundError, UnavailableError)):
            account(server).download("file-2", tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_the_key_goes_nowhere_in_the_clear():
    with pytest.raises(SpecError):
        HostedAccount(KEY, "http://api.example.org/v1")
