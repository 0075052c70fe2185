"""`podtune callbacks`, and where else a callback is shown."""

import json
import threading

import pytest
from standardwebhooks import Webhook

from podtune.app import driver
from podtune.app.installation import owner
from podtune.app.settings import Settings
from podtune.core.states import JobPhase, Outcome
from podtune.workflow.lease import Driver
from podtune.workflow.outbox import Message
from podtune.workflow.store import JobStore
from support import build, homes, waiting
from support.driving import held

HOOK = "https://app.example.org/hook?token=planted-query"
ID = "demo-abc234:terminal"


@pytest.fixture
def store(home, monkeypatch):
    """With a job that failed, and a message about it that was not taken."""
    made = JobStore(home.database)
    plan = build.plan({"deliver.callback_url": HOOK})
    made.add(build.job(plan=plan, phase=JobPhase.RETRIEVING, owner=owner(home.home)))
    done = {"phase": JobPhase.DONE, "outcome": Outcome.FAILED, "error_code": "out_of_memory"}
    made.apply(held(made, made.get("demo-abc234")), done, None, message=Message(ID, HOOK, "{}"))
    fail(made, "last answer 503")
    monkeypatch.setattr(driver, "spawn", lambda settings: None)
    yield made
    made.close()


def fail(store, why, wait_s=3600):
    store.messages.failed(taken(store), why, wait_s, "callback fails")


def taken(store):
    """The message, once it is due."""
    me = Driver("me", store.get("demo-abc234").owner, "here")
    (letter,) = waiting.until(lambda: store.messages.take(me, 60, 1), "a message that is due")
    return letter


@pytest.fixture
def driven(store, monkeypatch):
    """Has a driver of the test's own started, which does something with the message once it is due."""
    threads = []

    def by(deed):
        def spawn(settings):
            threads.append(threading.Thread(target=deed))
            threads[-1].start()

        store.leave("me")
        monkeypatch.setattr(driver, "spawn", spawn)

    yield by
    for thread in threads:
        thread.join()


def test_the_list_says_how_each_stands(run, store):
    code, out, _ = run("callbacks", "list")
    assert code == 0
    assert out.startswith(f"{ID}  waiting since ")
    assert "(last answer 503); next try " in out
    assert run("callbacks", "list", "demo")[1] == out


def test_the_list_for_programs_has_no_query(run, store):
    code, out, _ = run("callbacks", "list", "--output", "json")
    (found,) = json.loads(out)
    assert (code, found["id"], found["tries"]) == (0, ID, 1)
    assert found["url"] == "https://app.example.org/hook"


def test_a_list_of_nothing_says_when_there_is_one(run, home):
    JobStore(home.database).close()
    code, out, err = run("callbacks", "list")
    assert (code, out) == (0, "")
    assert "deliver.callback_url" in err


def test_sending_again_waits_for_a_try(run, store, driven):
    driven(lambda: store.messages.delivered(taken(store), "callback delivered"))
    code, out, _ = run("callbacks", "send", "demo-abc234")
    assert code == 0
    assert out.startswith(f"{ID}  delivered ")


def test_sending_again_fails_where_it_is_not_taken(run, store, driven):
    driven(lambda: fail(store, "last answer 404", None))
    code, out, _ = run("callbacks", "send", "last", "--output", "json")
    assert (code, json.loads(out)["last_error"]) == (1, "last answer 404")


def test_there_is_nothing_to_send_of_a_job_without_one(run, store):
    store.add(build.job(id="other-job"))
    code, _, err = run("callbacks", "send", "other-job")
    assert code == 2
    assert "no callback" in err


def test_the_secret_is_what_messages_are_signed_with(run, home, monkeypatch):
    code, out, _ = run("callbacks", "secret")
    assert code == 0
    Webhook(out.strip())
    both = f"{out.strip()} whsec_{'YWJj' * 8}"
    monkeypatch.setenv("PODTUNE_WEBHOOK_SECRET", both)
    assert run("callbacks", "secret")[1].split() == both.split()
    shown = json.loads(run("callbacks", "secret", "--output", "json")[1])
    assert shown == {"secrets": both.split()}


def test_a_tenants_secret_is_its_own_and_no_others_is_told(run, home, monkeypatch):
    monkeypatch.delenv("PODTUNE_WEBHOOK_SECRET", raising=False)
    code, _, err = run("keys", "create", "app", "--tenant", "shop", "--scope", "read")
    assert code == 0
    assert "podtune callbacks secret --tenant shop" in " ".join(err.split())
    own, shops = run("callbacks", "secret")[1], run("callbacks", "secret", "--tenant", "shop")[1]
    assert own.startswith("whsec_")
    assert shops.startswith("whsec_")
    assert shops != own
    code, out, err = run("callbacks", "secret", "--tenant", "shopp")
    assert (code, out) != (0, "")
    assert "whsec_" not in out + err
    assert "podtune keys list" in " ".join(err.split())


def test_status_jobs_and_watch_say_that_it_waits(run, store):
    words = "last answer 503"
    for command in ("status", "jobs", "watch"):
        _, out, err = run(command, *(["demo-abc234"] if command != "jobs" else []))
        told = " ".join((out + err).split())
        assert "callback waiting since" in told.replace("callback: ", "callback "), command
        assert words in told
        assert "planted" not in told


def test_a_plan_says_whom_it_will_tell_but_not_the_query(run, home, tmp_path):
    homes.model(tmp_path / "model")
    source = homes.data(tmp_path)
    given = ("plan", source, "--model", tmp_path / "model", "--set", f"deliver.callback_url={HOOK}")
    code, out, err = run(*given)
    assert code == 0, err
    shown, _, following = (out + err).partition("next")
    told = " ".join(shown.replace("│", " ").split())
    assert "a signed message to https://app.example.org/hook once it has ended" in told
    assert "planted" not in told
    assert "planted" in following, "the command as it was typed"
    assert "planted" not in run(*given, "--output", "json")[1]


def test_a_callback_over_http_is_refused_with_the_plan(run, home, tmp_path):
    homes.model(tmp_path / "model")
    source = homes.data(tmp_path)
    given = ("--set", "deliver.callback_url=http://app.example.org/hook")
    code, _, err = run("plan", source, "--model", tmp_path / "model", *given)
    assert code == 2
    assert "url_blocked" in err


def test_the_secret_is_no_setting_that_a_file_could_hold():
    assert not [name for name in Settings.model_fields if "secret" in name]
