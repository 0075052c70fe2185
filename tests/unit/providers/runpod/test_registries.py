import httpx2
import pytest

from podtune.core.errors import SpecError
from podtune.providers.runpod import registries
from support.runpod_account import Account, client


def account(*there):
    made = Account()
    made.answer("GET /v2/registries", httpx2.Response(200, json={"registries": list(there)}))
    return client(made)


MINE = {"id": "reg_abc", "name": "mine"}


def test_credentials_are_found_by_their_id():
    assert registries.find(account(MINE), "reg_abc").name == "mine"


def test_a_name_is_answered_with_the_id():
    with pytest.raises(SpecError) as caught:
        registries.find(account(MINE), "mine")
    assert caught.value.hint == "--set where.registry_auth=reg_abc"


def test_unknown_credentials_name_those_that_are_there():
    with pytest.raises(SpecError) as caught:
        registries.find(account(MINE), "theirs")
    assert caught.value.code == "registry_unknown"
    assert "reg_abc (mine)" in caught.value.message
    with pytest.raises(SpecError, match="it has: none"):
        registries.find(account(), "theirs")
