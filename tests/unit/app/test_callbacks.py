"""Callbacks: what is told of an outcome, how it is signed, and a real receiver that misbehaves."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from standardwebhooks import Webhook, WebhookVerificationError

from podtune.app import callbacks, driver
from podtune.app.installation import owner
from podtune.app.service import Service
from podtune.core.clock import utc_now
from podtune.core.errors import SpecError
from podtune.core.events import EventKind, Metrics
from podtune.core.states import Desired, JobPhase, Outcome
from podtune.workflow.courier import Answer, Courier
from podtune.workflow.holds import Hold
from podtune.workflow.lease import Driver
from podtune.workflow.outbox import Delivery, Message
from podtune.workflow.store import JobStore
from support import build, homes, rented_jobs, waiting
from support.driving import held
from support.hook_receiver import (
    BROKEN,
    BUSY,
    GONE,
    MOVED,
    TAKEN,
    HookReceiver,
    flood,
    reset,
)

HOOK = "https://app.example.org/hook?token=planted-query"
NOW = build.NOW
OTHER_SECRET = "whsec_" + "b3RoZXIt" * 5
MESSAGE = Message("demo-abc234:terminal", HOOK, '{"type": "training.completed"}')


@pytest.fixture(autouse=True)
def no_secret(monkeypatch):
    monkeypatch.delenv("PODTUNE_WEBHOOK_SECRET", raising=False)


@pytest.fixture
def home(tmp_path):
    made = homes.settings(tmp_path)
    made.home.mkdir(parents=True)
    return made


@pytest.fixture
def receiver():
    with HookReceiver() as serving:
        yield serving


def open_to(home, receiver):
    """The home's settings, with the receiver on loopback let through."""
    opened = {"egress_http": True, "egress_private_hosts": f"127.0.0.1:{receiver.port}"}
    return home.model_copy(update=opened)


def job(url=HOOK, **changes):
    return build.job(
        plan=build.plan({"deliver.callback_url": url} if url else None),
        **{"phase": JobPhase.TERMINATING, "outcome": Outcome.COMPLETED, **changes},
    )


def announce(home, ended, orders=()):
    return callbacks.announcer(home, lambda name: orders, lambda: NOW)(ended)


def announced(home, ended, orders=()):
    return json.loads(announce(home, ended, orders).body)


def verify(call, *by):
    """The body of a request, as the library sees it that receivers use."""
    for secret in by:
        body = Webhook(secret).verify(call.body, call.headers)
    return body


def own_secret(home):
    (secret,) = callbacks.secrets(home.home)
    return secret.get_secret_value()


def test_nobody_is_told_who_did_not_ask(home):
    assert announce(home, job(url=None)) is None


def test_nothing_is_told_before_there_is_an_outcome(home):
    assert announce(home, job(outcome=None)) is None


def test_the_message_is_what_status_says_from_then_on(home):
    ended = job()
    body = announced(home, ended)
    data = body["data"]
    assert (body["type"], body["timestamp"]) == ("training.completed", "2026-01-02T03:04:05Z")
    assert (data["job_id"], data["external_job_id"]) == (ended.id, ended.id)
    assert (data["status"], data["progress"]) == ("completed", 100)
    assert data["adapter_path"] == str(home.jobs / ended.id / "artifact")


def test_the_message_has_the_last_figures_of_the_worker(home):
    ended = job(outcome=Outcome.FAILED, error_code="out_of_memory", error_message="no memory left")
    folder = home.jobs / ended.id
    folder.mkdir(parents=True)
    events = folder / "events.jsonl"
    metrics = Metrics(training_loss=1.25)
    homes.say(events, ended, kind=EventKind.STEP, step=7, total_steps=10, metrics=metrics)
    data = announced(home, ended)["data"]
    assert (data["current_step"], data["metrics"]["training_loss"]) == (7, 1.25)
    assert (data["status"], data["error_code"]) == ("failed", "out_of_memory")
    assert data["adapter_path"] is None


def test_a_job_of_the_hosted_api_is_told_of_in_its_words(home):
    ended = job()

    def told(hold, one=ended):
        return callbacks.announcer(home, lambda _: (), lambda: NOW, lambda _: hold)(one)

    message = told(Hold("openai", paused=False))
    assert message.id == f"{ended.id}:terminal"
    body = json.loads(message.body)
    assert (body["type"], body["data"]) == ("fine_tuning.job.succeeded", {"id": ended.id})
    assert json.loads(told(Hold("training", paused=False)).body)["type"] == "training.completed"
    cancelled = job(outcome=Outcome.CANCELLED)
    assert told(Hold("openai", paused=True), cancelled) is None
    assert told(Hold("openai", paused=False), cancelled) is not None


def test_events_that_cannot_be_read_hold_up_no_outcome(home, caplog):
    ended = job()
    (home.jobs / ended.id / "events.jsonl").mkdir(parents=True)
    assert announced(home, ended)["data"]["current_step"] == 0
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize(
    "told",
    [
        '"kind":"step","step":2,"epoch":NaN,"metrics":{"throughput":5}',
        '"kind":"step","step":2,"epoch":1e308,"metrics":{"throughput":5e-324,"training_loss":Infinity}',
        f'"kind":"step","step":{10**400},"total_steps":{10**401},"metrics":{{"throughput":1}}',
        '"kind":"facts","facts":{"train_tokens":"many","steps_per_epoch":"few"}',
        '"kind":"task","task":{"name":"x","done":1e308,"total":5e-324}',
    ],
)
def test_whatever_a_machine_says_of_itself_holds_up_no_outcome(home, told):
    """It is rented, and what it says is written in the transaction that ends it."""
    ended = job(outcome=Outcome.FAILED, error_code="worker_lost", error_message="lost")
    events = home.jobs / ended.id / "events.jsonl"
    events.parent.mkdir(parents=True)
    facts = {"train_tokens": 100, "steps_per_epoch": 10}
    homes.say(events, ended, kind=EventKind.FACTS, facts=facts)
    homes.say(
        events,
        ended,
        seq=1,
        kind=EventKind.STEP,
        step=1,
        total_steps=9,
        metrics=Metrics(throughput=5),
    )
    head = (
        f'"job":"{ended.id}","attempt":1,"seq":2,"time":"2026-01-02T00:00:00Z","stage":"training"'
    )
    with events.open("a") as stream:
        stream.write(f"{{{head},{told}}}\n")
    assert announced(home, ended)["data"]["status"] == "failed"


def test_a_rented_job_tells_its_money(home):
    ended = rented_jobs.job(JobPhase.TERMINATING, outcome=Outcome.CANCELLED)
    ended = ended.model_copy(update={"plan": rented_jobs.job().plan})
    spec = ended.plan.spec
    deliver = spec.deliver.model_copy(update={"callback_url": HOOK})
    plan = ended.plan.model_copy(update={"spec": spec.model_copy(update={"deliver": deliver})})
    ended = ended.model_copy(update={"plan": plan})
    body = announced(home, ended)
    assert body["type"] == "training.cancelled"
    assert body["data"]["ceiling_usd"] == float(plan.price.max_usd)
    assert body["data"]["cost_usd"] == 0


@pytest.mark.parametrize(
    ("run", "expected"),
    [(1, "demo-abc234:terminal"), (2, "demo-abc234:terminal:2"), (7, "demo-abc234:terminal:7")],
)
def test_each_run_has_one_id(home, run, expected):
    assert announce(home, job(run=run)).id == expected


def test_no_secret_is_told(home):
    planted = "hf_plantedplantedplanted"
    ended = job(outcome=Outcome.FAILED, error_message=f"token {planted}", advice=f"use {planted}")
    folder = home.jobs / ended.id
    folder.mkdir(parents=True)
    homes.say(folder / "events.jsonl", ended, kind=EventKind.WARNING, message=f"got {planted}")
    body = announce(home, ended).body
    assert "planted" not in body
    assert json.loads(body)["data"]["warnings"] == ["got ***"]


def test_a_message_is_signed_as_the_library_of_receivers_expects(home):
    headers = dict(callbacks.signed(MESSAGE, callbacks.secrets(home.home), utc_now()))
    secret = own_secret(home)
    assert Webhook(secret).verify(MESSAGE.body, headers) == json.loads(MESSAGE.body)
    for name, value in (("webhook-id", "other"), ("webhook-timestamp", "1")):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(MESSAGE.body, {**headers, name: value})
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(MESSAGE.body + " ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER_SECRET).verify(MESSAGE.body, headers)


def test_the_signature_is_the_one_of_the_specification():
    """The example of the library's own tests: id, time, body and secret -> signature."""
    secret = SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330, UTC)
    message = Message("msg_p5jXN8AQM9LWM0D4loKWxJek", HOOK, '{"test": 2432232314}')
    headers = dict(callbacks.signed(message, [secret], at))
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers["webhook-timestamp"] == "1614265330"


def test_with_two_secrets_a_receiver_of_either_is_content(home, monkeypatch):
    first = own_secret(home)
    monkeypatch.setenv("PODTUNE_WEBHOOK_SECRET", f"{first} {OTHER_SECRET}")
    headers = dict(callbacks.signed(MESSAGE, callbacks.secrets(home.home), utc_now()))
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (first, OTHER_SECRET):
        Webhook(secret).verify(MESSAGE.body, headers)


def test_an_installation_has_a_secret_of_its_own_that_stays(home, tmp_path):
    secret = own_secret(home)
    assert secret.startswith("whsec_")
    assert own_secret(home) == secret
    other = homes.settings(tmp_path / "other")
    other.home.mkdir(parents=True)
    assert own_secret(other) != secret


def test_each_tenant_has_a_secret_of_its_own(home):
    found = [callbacks.secrets(home.home, tenant) for tenant in (None, "shop", "Shop", "shop ")]
    assert len({one.get_secret_value() for (one,) in found}) == len(found)
    assert callbacks.secrets(home.home, "shop") == found[1]


def test_what_the_operator_sets_counts_for_all(home, monkeypatch):
    monkeypatch.setenv("PODTUNE_WEBHOOK_SECRET", OTHER_SECRET)
    assert callbacks.secrets(home.home, "shop") == callbacks.secrets(home.home)


@pytest.mark.parametrize(
    "secret",
    ["planted-secret", "whsec_", "whsec_c2hvcnQ=", "whsec_" + "YWJj" * 22, "whsec_planted!secret"],
)
def test_what_is_no_secret_is_refused_before_anything_is_planned(home, monkeypatch, secret):
    monkeypatch.setenv("PODTUNE_WEBHOOK_SECRET", secret)
    with pytest.raises(SpecError) as caught:
        callbacks.check(job().plan.spec, home)
    assert caught.value.code == "bad_setting"
    assert "planted" not in str(caught.value.to_json())


@pytest.mark.parametrize(
    "url",
    [
        "http://app.example.org/hook",
        "https://127.0.0.1/hook",
        "https://[::1]/hook",
        "https://[::ffff:10.0.0.1]/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://2130706433/hook",
        "https://app.example.org:22/hook",
    ],
)
def test_an_address_that_may_not_be_reached_is_refused_before_anything_is_planned(home, url):
    with pytest.raises(SpecError) as caught:
        callbacks.check(job(url).plan.spec, home)
    assert caught.value.code == "url_blocked"


def test_a_check_makes_no_key(home):
    callbacks.check(job().plan.spec, home)
    callbacks.check(job(url=None).plan.spec, home)
    assert list(home.home.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("", None),
        ("120", 120.0),
        (" 0 ", 0.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("\u0663", None),
        ("Fri, 02 Jan 2026 03:05:05 GMT", 60.0),
        ("Fri, 02 Jan 2026 03:05:05 -0000", 60.0),
        ("Fri, 02 Jan 2026 01:00:00 GMT", 0.0),
    ],
)
def test_retry_after(value, seconds):
    assert callbacks.retry_after_s(value, NOW) == seconds


@given(st.text(max_size=60))
def test_any_retry_after_is_seconds_or_nothing(value):
    found = callbacks.retry_after_s(value, NOW)
    assert found is None or found >= 0


def send(home, receiver, **given):
    message = MESSAGE._replace(url=receiver.url)
    return callbacks.sender(open_to(home, receiver), **given)(message)


def test_a_real_receiver_verifies_what_is_sent(home, receiver):
    assert send(home, receiver) == Answer(200)
    (call,) = receiver.calls
    assert verify(call, own_secret(home)) == {"type": "training.completed"}
    assert (call.headers["webhook-id"], call.headers["content-type"]) == (
        MESSAGE.id, "application/json",
    )  # fmt: skip
    assert call.path == "/hook?token=planted-query"


@pytest.mark.parametrize(
    ("turn", "answer"),
    [
        (BROKEN, Answer(500)),
        (GONE, Answer(410)),
        (MOVED, Answer(302)),
        (BUSY, Answer(503, 120.0)),
        (flood, Answer(200)),
    ],
)
def test_answers_of_a_receiver_that_misbehaves(home, receiver, turn, answer):
    receiver.turns = [turn]
    assert send(home, receiver) == answer
    assert len(receiver.calls) == 1


def test_a_private_address_behind_a_name_is_never_sent_to(home, receiver):
    closed = home.model_copy(update={"egress_http": True})
    with pytest.raises(SpecError) as caught:
        callbacks.sender(closed)(
            MESSAGE._replace(url=receiver.url.replace("127.0.0.1", "localhost"))
        )
    assert caught.value.code == "url_blocked"
    assert receiver.connections == 0


@pytest.fixture
def store(home):
    made = JobStore(home.database)
    yield made
    made.close()


def deliver(home, store, receiver, *, until, chance=None):
    """A courier with real threads and sockets, until something holds."""
    me = Driver("me", "owner123", "here")
    with ThreadPoolExecutor(2) as executor:
        one = Courier(
            store.messages, me, callbacks.sender(open_to(home, receiver)),
            executor=executor, clock=utc_now,
        )  # fmt: skip

        def done():
            one.due()
            return until() and not one.is_busy()

        waiting.until(done, "the delivery")


def write(store, receiver):
    started = job(receiver.url, phase=JobPhase.RETRIEVING, outcome=None)
    store.add(started)
    message = MESSAGE._replace(url=receiver.url)
    changes = {"phase": JobPhase.TERMINATING, "outcome": Outcome.COMPLETED}
    store.apply(held(store, started), changes, None, message=message)
    return started


def stands(store):
    (one,) = store.messages.of()
    return one


@pytest.mark.parametrize(
    ("turn", "error"),
    [
        (BROKEN, "last answer 500"),
        (MOVED, "last answer 302"),
        (BUSY, "last answer 503"),
        (reset, "broke off"),
    ],
)
def test_a_failure_waits_and_by_hand_it_is_delivered_under_the_same_id(
    home, store, receiver, turn, error
):
    receiver.turns = [turn, TAKEN]
    ended = write(store, receiver)
    deliver(home, store, receiver, until=lambda: stands(store).tries == 1)
    one = stands(store)
    assert error in one.last_error
    assert "planted" not in one.last_error
    least = 120 if turn is BUSY else 5
    assert one.next_at - utc_now() > timedelta(seconds=least - 5)
    assert callbacks.is_amiss(one)
    store.messages.again(ended.id)
    deliver(home, store, receiver, until=lambda: stands(store).delivered_at)
    assert [call.headers["webhook-id"] for call in receiver.calls] == [MESSAGE.id] * 2
    assert receiver.calls[0].body == receiver.calls[1].body
    for call in receiver.calls:
        verify(call, own_secret(home))


def test_410_ends_it(home, store, receiver):
    receiver.turns = [GONE]
    write(store, receiver)
    deliver(home, store, receiver, until=lambda: stands(store).given_up_at)
    assert len(receiver.calls) == 1


def test_the_job_s_log_holds_no_query(home, store, receiver):
    receiver.turns = [reset, TAKEN]
    ended = write(store, receiver)
    deliver(home, store, receiver, until=lambda: stands(store).tries == 1)
    told = " ".join(entry.message for entry in store.log(ended.id))
    assert "callback waits" in told
    assert "planted" not in told


def cancelled(home, tmp_path, receiver):
    """A queued job of a home, with the wish to cancel it."""
    plan = homes.plan(tmp_path, deliver__callback_url=HOOK).with_callback(receiver.url)
    store = JobStore(home.database)
    store.add(build.job(
        plan=plan, owner=owner(home.home), host=driver.host(), desired=Desired.CANCELLED,
    ))  # fmt: skip
    return store


def test_a_driver_tells_the_outcome_of_a_job_and_then_goes(home, tmp_path, receiver):
    store = cancelled(home, tmp_path, receiver)
    receiver.turns = [BROKEN, TAKEN]
    settings = open_to(home, receiver)
    stop, reason = threading.Event(), []
    thread = threading.Thread(target=lambda: reason.append(driver.drive(settings, stop)))
    thread.start()
    try:
        waiting.until(lambda: store.get("demo-abc234").is_finished, "the end of the job")
        waiting.until(lambda: stands(store).tries, "a try")
        thread.join(0)
        assert thread.is_alive(), "it stays while a message waits"
        store.messages.again("demo-abc234")
        thread.join(30)
    finally:
        stop.set()
        thread.join()
    assert reason == ["idle"]
    assert len(receiver.calls) == 2
    body = verify(receiver.calls[-1], own_secret(home))
    assert (body["type"], body["data"]["status"]) == ("training.cancelled", "failed")
    service = Service(settings)
    status = json.loads(service.status("demo-abc234").model_dump_json())
    service.close()
    same = set(status) - {"phase"}
    assert {k: body["data"][k] for k in same} == {k: status[k] for k in same}
    store.close()


def test_a_receiver_that_hangs_delays_no_termination(home, tmp_path, receiver):
    store = cancelled(home, tmp_path, receiver)
    receiver.turns = [receiver.hang]
    settings = open_to(home, receiver)
    stop = threading.Event()
    thread = threading.Thread(target=driver.drive, args=(settings, stop))
    thread.start()
    try:
        waiting.until(lambda: store.get("demo-abc234").is_finished, "the end of the job", 10)
        waiting.until(lambda: receiver.calls, "a try")
        assert stands(store).delivered_at is None
    finally:
        stop.set()
        receiver.closing.set()
        thread.join()
    store.close()


DELIVERY = Delivery("demo-abc234:terminal", "demo-abc234", HOOK, NOW, 0, NOW, None, None, None)


@pytest.mark.parametrize(
    ("delivery", "words"),
    [
        (DELIVERY, "waiting since 2026-01-02 03:04:05 UTC"),
        (
            DELIVERY._replace(tries=2, last_error="last answer 503"),
            "waiting since 2026-01-02 03:04:05 UTC (last answer 503); "
            "next try 2026-01-02 03:04:05 UTC",
        ),
        (DELIVERY._replace(next_at=None, delivered_at=NOW), "delivered 2026-01-02 03:04:05 UTC"),
        (
            DELIVERY._replace(next_at=None, given_up_at=NOW, last_error="last answer 410"),
            "given up 2026-01-02 03:04:05 UTC (last answer 410): podtune callbacks send demo-abc234",
        ),
    ],
)
def test_how_a_message_stands_in_words(delivery, words):
    assert callbacks.told(job(), delivery) == callbacks.words(delivery) == words


def test_before_the_end_it_is_said_whom_it_goes_to():
    running = job(phase=JobPhase.TRAINING, outcome=None)
    assert (
        callbacks.told(running, None) == "to https://app.example.org/hook, once the job has ended"
    )
    assert callbacks.told(job(url=None, outcome=None), None) is None
    assert callbacks.told(job(), None) is None


def test_for_programs_the_address_comes_without_its_query():
    assert "planted" not in json.dumps(callbacks.to_json(DELIVERY), default=str)


def test_the_last_message_of_each_job():
    newer = DELIVERY._replace(id="demo-abc234:terminal:2")
    other = DELIVERY._replace(job="other")
    assert callbacks.latest([newer, other, DELIVERY]) == {"demo-abc234": newer, "other": other}
