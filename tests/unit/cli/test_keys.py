"""`podtune keys`: the token on stdout once, nothing of it anywhere else."""

import json
from contextlib import closing

import pytest

from podtune.app.keys import Keys
from podtune.core.access import Scope
from podtune.workflow.store import JobStore


@pytest.fixture
def checked(home):
    """Who a token's bearer is, by the home's store."""

    def check(token):
        with closing(JobStore(home.database)) as store:
            return Keys(store).check(token)

    return check


def create(run, *options, scope="read"):
    return run("keys", "create", "ci", "--scope", scope, *options)


def test_a_key_is_printed_once_and_alone(run, home, checked):
    code, out, err = create(run, "--budget", "50", "--expires", "90d", "--scope", "submit")
    assert code == 0
    (token,) = out.split()
    found = checked(token)
    assert found.scopes == {Scope.READ, Scope.SUBMIT}
    assert (found.budget_usd, found.tenant) == (50, found.key_id)
    assert token not in err
    assert "not shown again" in err
    assert f"podtune keys revoke {found.key_id}" in " ".join(err.split())
    listed = run("keys", "list")[1]
    assert token.rpartition("_")[2] not in listed
    assert "budget $50.00" in listed
    assert "ci" in listed


def test_programs_get_all_of_it(run, home, checked):
    code, out, _ = create(run, "--tenant", "acme", "--output", "json")
    made = json.loads(out)
    assert (code, made["tenant"], made["scopes"], made["budget_usd"]) == (0, "acme", ["read"], None)
    assert checked(made["token"]).tenant == "acme"
    (listed,) = json.loads(run("keys", "list", "--output", "json")[1])
    assert listed == {k: v for k, v in made.items() if k != "token"} | {
        "last_used_at": listed["last_used_at"]
    }


def test_a_revoked_key_is_listed_as_one(run, home, checked):
    token = create(run)[1].strip()
    number = token.split("_")[1]
    code, out, _ = run("keys", "revoke", number)
    assert code == 0
    assert "revoked" in out
    assert "revoked" in run("keys", "list")[1]
    assert json.loads(run("keys", "revoke", number, "--output", "json")[1])["revoked_at"]
    code, _, err = run("keys", "revoke", "nobody")
    assert code == 2
    assert "no key 'nobody'" in err


def test_a_list_of_nothing_says_how_to_make_one(run, home):
    code, out, err = run("keys", "list")
    assert (code, out) == (0, "")
    assert "podtune keys create" in err


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--budget", "much"), ("--budget", "nan"), ("--budget", "inf"), ("--budget", "-1"), ("--expires", "soon"),
        ("--tenant", "a b"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_and_makes_no_key(run, home, option, value):
    code, out, err = create(run, f"{option}={value}")
    assert (code, out) == (2, "")
    assert "code  bad_key_option" in err
    assert run("keys", "list")[1] == ""


def test_a_key_without_a_scope_is_not_made(run, home):
    assert run("keys", "create", "ci")[0] == 2
