"""Couriers: when a message is tried again, how many are under way, and what a crash or a hang costs."""

import itertools
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import SpecError, StateError, UnavailableError
from podtune.core.states import JobPhase, Outcome
from podtune.workflow import courier as couriers
from podtune.workflow.courier import (
    AT_ONCE,
    FIRST_S,
    HOLD_S,
    JITTER,
    LONGEST_S,
    TRIES,
    Answer,
    Courier,
    judge,
    pause,
)
from podtune.workflow.outbox import Message
from podtune.workflow.store import JobStore
from support import build, waiting
from support.driving import ME, OTHER, held
from support.executors import Held, Inline, Pushed

DAY_S = 24 * 3600
TAKEN = Answer(204)
seeds = st.integers(0, 2**32).map(random.Random)


class Receiver:
    """Answers in turn, the last answer again and again."""

    def __init__(self, *answers):
        self.answers, self.got = list(answers), []

    def __call__(self, message):
        self.got.append(message)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def clock():
    return Pushed(build.NOW)


@pytest.fixture
def store(tmp_path, clock):
    made = JobStore(tmp_path / "podtune.db", clock=clock)
    yield made
    made.close()


def write(store, name="demo-abc234"):
    """A job's outcome, and the message about it."""
    store.add(build.job(id=name))
    job = held(store, store.get(name))
    message = Message(f"{name}:terminal", "https://x.example/hook", f'{{"job": "{name}"}}')
    done = {"phase": JobPhase.TERMINATING, "outcome": Outcome.COMPLETED}
    store.apply(job, done, None, message=message)


@pytest.fixture
def courier(store, clock):
    def make(send, *, driver=ME, executor=None):
        return Courier(
            store.messages, driver, send,
            executor=executor or Inline(), clock=clock, chance=random.Random(1),
        )  # fmt: skip

    return make


def stands(store, job="demo-abc234"):
    (one,) = store.messages.of(job)
    return one


def play(courier, clock):
    """Let a courier do all there is to do, as its own `next_at` says; the moments of the rounds."""
    begun, moments = clock.now, []
    for _ in range(10 * TRIES):
        courier.due()
        due = courier.next_at()
        if due is None:
            return moments
        clock.now = max(clock.now, due)
        moments.append((clock.now - begun).total_seconds())
    raise AssertionError("it never ends")


@given(seeds)
def test_the_pauses_together_cover_a_day_and_little_more(chance):
    total = sum(pause(tries, chance) for tries in range(1, TRIES))
    assert DAY_S <= total <= (1 + JITTER) * 25 * 3600


@given(st.integers(1, 10_000), seeds)
def test_a_pause_is_bounded_and_its_jitter_only_lengthens_it(tries, chance):
    shortest = min(LONGEST_S, FIRST_S * 2 ** min(tries - 1, 40))
    assert shortest <= pause(tries, chance) <= (1 + JITTER) * shortest


@given(st.integers(1, 100), seeds)
def test_pauses_grow_until_they_are_the_longest(tries, chance):
    now, later = pause(tries, chance), pause(tries + 1, chance)
    assert later > now or later >= LONGEST_S


def test_pauses_of_many_messages_differ():
    chance = random.Random(5)
    assert len({pause(5, chance) for _ in range(100)}) == 100


@given(st.integers(100, 599), st.integers(1, TRIES - 1), seeds)
def test_every_status_but_2xx_is_tried_again_and_410_never(status, tries, chance):
    verdict = judge(Answer(status), tries, chance)
    assert (verdict is None) == (200 <= status < 300)
    if verdict is not None:
        assert (verdict.wait_s is None) == (status == 410)
        assert verdict.why == f"last answer {status}"


@given(st.integers(1, TRIES - 1), st.floats(0, 1e12), seeds)
def test_what_a_receiver_asks_for_lengthens_a_pause_up_to_the_longest(tries, asked_s, chance):
    state = chance.getstate()
    wait = judge(Answer(503, asked_s), tries, chance).wait_s
    chance.setstate(state)
    own = pause(tries, chance)
    assert wait == max(own, min(asked_s, LONGEST_S))


@pytest.mark.parametrize(
    ("result", "forever", "why"),
    [
        (UnavailableError("no way"), False, "no way"),
        (SpecError("leads inside", code="url_blocked"), True, "leads inside"),
        (SpecError("no address", code="bad_url"), True, "no address"),
        (SpecError("bad secret", code="bad_setting"), False, "bad secret"),
        (UnavailableError("with hf_abcdefghijklmnop"), False, "with ***"),
        (KeyError("x"), False, "it could not be sent (KeyError)"),
    ],
)
def test_without_an_answer(result, forever, why):
    verdict = judge(result, 1, random.Random(1))
    assert (verdict.wait_s is None, verdict.why) == (forever, why)


def test_the_last_try_gives_up():
    assert judge(Answer(500), TRIES - 1, random.Random(1)).wait_s is not None
    assert judge(Answer(500), TRIES, random.Random(1)).wait_s is None
    assert judge(Answer(200), TRIES, random.Random(1)) is None


def test_a_message_is_sent_as_written_and_noted(store, courier, clock):
    write(store)
    receiver = Receiver(TAKEN)
    play(courier(receiver), clock)
    assert [m.body for m in receiver.got] == ['{"job": "demo-abc234"}']
    assert stands(store).delivered_at is not None
    assert [e.message for e in store.log("demo-abc234")][-1] == "callback delivered"


def test_a_receiver_that_is_down_for_hours_gets_it_under_the_same_id(store, courier, clock):
    write(store)
    receiver = Receiver(*[Answer(500)] * 15, TAKEN)
    moments = play(courier(receiver), clock)
    assert {m.id for m in receiver.got} == {"demo-abc234:terminal"}
    assert len(receiver.got) == 16
    assert 3600 < moments[-1] < DAY_S
    assert stands(store).last_error is None


def test_one_that_never_comes_back_is_given_up_after_a_day_with_few_lines_in_the_log(
    store, courier, clock
):
    write(store)
    receiver = Receiver(Answer(500))
    moments = play(courier(receiver), clock)
    assert len(receiver.got) == TRIES
    assert DAY_S <= moments[-1] <= 1.3 * DAY_S
    one = stands(store)
    assert (one.given_up_at is not None, one.last_error) == (True, "last answer 500")
    lines = [e.message for e in store.log("demo-abc234") if e.message.startswith("callback")]
    assert len(lines) == 2
    assert "podtune callbacks send demo-abc234" in lines[-1]


def test_410_gives_up_at_once(store, courier, clock):
    write(store)
    receiver = Receiver(Answer(410))
    play(courier(receiver), clock)
    assert len(receiver.got) == 1
    assert stands(store).given_up_at is not None


def test_a_receiver_that_hangs_holds_up_no_round_and_no_more_than_its_places(store, courier, clock):
    for number in range(AT_ONCE + 2):
        write(store, f"job-{number}")
    executor = Held()
    hanging = courier(Receiver(TAKEN), executor=executor)
    for _ in range(5):
        hanging.due()
        clock.forward(2)
    assert len(executor.waiting) == AT_ONCE
    assert hanging.is_busy()
    executor.run()
    for _ in range(2):
        hanging.due()
        clock.forward(2)
    assert len(executor.waiting) == 2
    executor.run()
    hanging.due()
    assert not hanging.is_busy()
    assert all(one.delivered_at for one in store.messages.of())


def test_sent_and_not_noted_it_is_sent_again_under_the_same_id(store, courier, clock):
    """The process dies between the receiver's answer and the note of it."""
    write(store)
    first, second = Receiver(TAKEN), Receiver(TAKEN)
    courier(first).due()
    assert len(first.got) == 1
    heir = courier(second, driver=OTHER)
    heir.due()
    assert second.got == []
    clock.forward(HOLD_S + 1)
    play(heir, clock)
    assert [m.id for m in second.got] == [m.id for m in first.got]
    assert stands(store).delivered_at is not None


def test_two_couriers_on_one_store_deliver_each_once(store, courier, clock):
    for number in range(30):
        write(store, f"job-{number}")
    receiver = Receiver(TAKEN)
    both = [courier(receiver), courier(receiver, driver=OTHER)]
    for one in itertools.islice(itertools.cycle(both), 60):
        one.due()
        clock.forward(1)
    assert sorted(m.id for m in receiver.got) == sorted({m.id for m in receiver.got})
    assert len(receiver.got) == 30
    assert all(one.delivered_at for one in store.messages.of())


def test_in_threads_of_its_own_nothing_is_lost(store, courier, clock):
    for number in range(12):
        write(store, f"job-{number}")
    receiver = Receiver(Answer(500), TAKEN)
    with ThreadPoolExecutor(2) as executor:
        threaded = courier(receiver, executor=executor)

        def all_delivered():
            threaded.due()
            clock.forward(1)
            return all(one.delivered_at for one in store.messages.of())

        waiting.until(all_delivered, "the delivery")
    assert len(receiver.got) == 13


def test_an_answer_that_cannot_be_noted_now_is_noted_later(store, courier, clock, monkeypatch):
    write(store)
    receiver = Receiver(TAKEN)
    one = courier(receiver)
    one.due()

    def full(letter, note):
        raise StateError("disk full")

    monkeypatch.setattr(one._outbox, "delivered", full)
    with pytest.raises(StateError):
        one.due()
    monkeypatch.undo()
    assert one.is_busy()
    one.due()
    assert (stands(store).delivered_at is not None, len(receiver.got)) == (True, 1)


def test_a_fault_of_ours_is_logged_and_tried_again(store, courier, clock, caplog):
    write(store)
    play(courier(Receiver(KeyError("x"), TAKEN)), clock)
    assert stands(store).delivered_at is not None
    assert "demo-abc234:terminal could not be sent" in caplog.text


def test_it_looks_now_and_then_and_is_idle_with_nothing_to_send(store, courier, clock):
    asked = []
    idle = courier(Receiver(TAKEN))
    take = idle._outbox.take
    idle._outbox.take = lambda *given: (asked.append(1), take(*given))[1]
    for _ in range(10):
        idle.due()
        clock.forward(couriers.LOOK_S / 2)
    assert len(asked) == 5
    assert not idle.is_busy()
    assert idle.next_at() is None
