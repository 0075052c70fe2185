"""A refusal that comes when the caller was left with an id is told by a callback: once, signed, in its face's form."""

import json

import pytest

from podtune.app import callbacks, refusals
from podtune.app.idempotency import FIELD
from podtune.core.errors import ConflictError, PodtuneError
from podtune.core.wire import Callback
from podtune.workflow.lease import Driver
from support import desks, waiting
from support.hook_receiver import HookReceiver
from support.odd_server import response

BAD = response(200, b'{"prompt": "only half of it"}\n')


@pytest.fixture
def receiver():
    with HookReceiver() as made:
        yield made


@pytest.fixture
def hook_office(remote_office, receiver):
    """An office whose rows and callbacks are on loopback."""
    settings = remote_office.service.settings
    hosts = f"{settings.egress_private_hosts}, 127.0.0.1:{receiver.port}"
    object.__setattr__(settings, "egress_private_hosts", hosts)
    return remote_office


@pytest.fixture
def ask(mine, rows_address, receiver):
    def make(name="a", kind="training"):
        asked = mine(name, source=rows_address, deliver__callback_url=receiver.url)
        return asked._replace(kind=kind)

    return make


def letters(office):
    """What a driver of this home would send now."""
    store = office.service.store()
    me = Driver("sender", desks.row_of(office, office.here.list()[0].id).owner, "here", None)
    return store.messages.take(me, 60, 10)


def refused_late(office, found, stuck):
    let, begun = stuck
    assert begun.wait(20)
    done = office.submissions.preparing._done[found.id]
    let.set()
    assert done.wait(30)
    assert office.here.get(found.id).state == "refused"


@pytest.fixture
def bad_rows(rows_server, stuck):
    """The rows come slowly, and are bad."""
    let, begun = stuck

    def slowly(socket):
        begun.set()
        let.wait(20)
        socket.sendall(BAD)

    rows_server.answers["/rows.jsonl"] = slowly
    return stuck


def test_who_was_left_with_an_id_is_told_that_nothing_came_of_it(hook_office, ask, bad_rows):
    found = hook_office.here.submit(ask(), wait_s=0)
    assert found.state == "preparing"
    refused_late(hook_office, found, bad_rows)
    (letter,) = letters(hook_office)
    assert (letter.job, letter.message.id) == (found.id, f"{found.id}:terminal")
    told = Callback.model_validate_json(letter.message.body)
    status = hook_office.here.status(found.id)
    assert told.type == "training.failed"
    assert told.data.model_dump(exclude={"external_job_id"}) == status.model_dump()
    assert (told.data.external_job_id, told.data.error_code) == (found.id, status.error_code)
    assert desks.SECRET not in letter.message.body


def test_what_the_driver_sends_is_signed_and_noted(hook_office, ask, bad_rows, receiver):
    found = hook_office.here.submit(ask(), wait_s=0)
    refused_late(hook_office, found, bad_rows)
    (letter,) = letters(hook_office)
    settings = hook_office.service.settings
    assert callbacks.sender(settings)(letter.message).status == 200
    hook_office.service.store().messages.delivered(letter, "callback delivered")
    (call,) = receiver.calls
    assert call.headers["webhook-id"] == f"{found.id}:terminal"
    assert json.loads(call.body)["data"]["external_job_id"] == found.id
    (stands,) = hook_office.service.callbacks(found.id)
    assert stands.delivered_at is not None


def test_it_can_be_sent_again_by_hand(hook_office, ask, bad_rows):
    found = hook_office.here.submit(ask(), wait_s=0)
    refused_late(hook_office, found, bad_rows)
    assert hook_office.service.store().messages.again(found.id).job == found.id


def test_an_answer_that_is_a_refusal_needs_no_callback(hook_office, ask, rows_server):
    rows_server.answers["/rows.jsonl"] = BAD
    with pytest.raises(PodtuneError):
        hook_office.here.submit(ask())
    assert letters(hook_office) == []


def test_who_still_looks_is_told_by_the_answer_alone(hook_office, ask, bad_rows):
    desk = hook_office.here
    found = desk.submit(ask(), wait_s=0, is_answer=False)
    assert desk.submit(ask(), wait_s=0, is_answer=False).id == found.id
    refused_late(hook_office, found, bad_rows)
    with pytest.raises(PodtuneError):
        desk.submit(ask(), wait_s=0)
    assert letters(hook_office) == []


def test_who_asks_again_and_is_left_with_the_id_counts_too(hook_office, ask, bad_rows):
    desk = hook_office.here
    found = desk.submit(ask(), wait_s=0, is_answer=False)
    assert desk.submit(ask(), wait_s=0).duplicate
    refused_late(hook_office, found, bad_rows)
    assert len(letters(hook_office)) == 1


def test_what_is_cancelled_before_it_began_is_told_so_once(hook_office, ask, bad_rows):
    found = hook_office.here.submit(ask(), wait_s=0)
    assert bad_rows[1].wait(20)
    hook_office.here.cancel(found.id)
    with pytest.raises(ConflictError):
        hook_office.here.cancel(found.id)
    bad_rows[0].set()
    (letter,) = letters(hook_office)
    assert json.loads(letter.message.body)["type"] == "training.cancelled"
    waiting.until(lambda: found.id not in hook_office.submissions.preparing._done, "the thread")
    assert len(hook_office.service.callbacks(found.id)) == 1


def test_the_hosted_api_s_face_is_told_in_its_words(hook_office, ask, bad_rows):
    found = hook_office.here.submit(ask(kind="openai"), wait_s=0)
    refused_late(hook_office, found, bad_rows)
    (letter,) = letters(hook_office)
    body = json.loads(letter.message.body)
    assert (body["object"], body["type"]) == ("event", "fine_tuning.job.failed")
    assert (body["data"], letter.message.id) == ({"id": found.id}, f"{found.id}:terminal")


def test_nobody_asked_nobody_is_told(hook_office, mine, rows_address, bad_rows):
    found = hook_office.here.submit(mine("a", source=rows_address), wait_s=0)
    refused_late(hook_office, found, bad_rows)
    assert letters(hook_office) == []


def test_a_gateway_that_took_over_tells_it_too(hook_office, ask, rows_server, monkeypatch):
    hook_office.submissions.preparing._closing.set()
    found = hook_office.here.submit(ask(), wait_s=0)
    desks.abandon(hook_office)
    rows_server.answers["/rows.jsonl"] = BAD
    other = hook_office.again()
    assert other.submissions.recover() == 1
    assert desks.settled(other.here, found.id).state == "refused"
    assert len(letters(hook_office)) == 1
    other.close()
    other.service.close()


@pytest.mark.parametrize(
    "body", [None, "", "{", "[]", '{"request": 1}', '{"request": {"stated": {}}}']
)
def test_a_body_that_says_no_address_makes_no_message(hook_office, ask, body):
    hook_office.submissions.preparing._closing.set()
    found = hook_office.here.submit(ask(), wait_s=0)
    row = hook_office.submissions.find(found.id)._replace(body=body)
    now = hook_office.service.store().clock()
    assert refusals.message(row, PodtuneError("no", code="x"), now) is None


def test_it_stands_on_every_database(shared_office, mine):
    office = shared_office
    office.submissions.preparing._closing.set()
    asked = mine("a", deliver__callback_url="https://hooks.example.org/in")
    found = office.here.submit(asked, wait_s=0)
    office.here.cancel(found.id)
    assert [one.job for one in letters(office)] == [found.id]
    assert FIELD not in office.here.get(found.id).note
