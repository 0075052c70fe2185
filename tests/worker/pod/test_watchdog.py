import json

import pytest

import orders as order_book
import watchdog
from lifetime import Lifetime
from podtune.core.handover import pod_environment
from support.pod_machine import Control, eventually, hand_over

NOW = 1_800_000_000.0


class Clock:
    """Monotonic and wall time that a test moves."""

    def __init__(self):
        self.at = 50.0

    def __call__(self):
        return self.at


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def watch(tmp_path, clock):
    def make(wall=NOW, **figures):
        told = {"DEADLINE": NOW + 3600, "STARTED": NOW, "MAX_USD": "10", "USD_PER_HOUR": "0.5",
                "BOOT_LIMIT_S": 100, "SILENCE_LIMIT_S": 60, **figures}  # fmt: skip
        environment = pod_environment(job="demo", attempt=1, token="t", figures=told)
        orders = order_book.read({**environment, "PODTUNE_WORKSPACE": str(tmp_path)})
        orders.watch.mkdir(parents=True, exist_ok=True)
        lifetime = Lifetime(orders, monotonic=clock, wall=lambda: wall)
        return watchdog.Watch(orders, lifetime, monotonic=clock), orders

    return make


def beat(orders: order_book.Orders, phase: str, progress: object, at: float) -> None:
    said = {"phase": phase, "progress": progress, "at": at}
    (orders.watch / "beat").write_text(json.dumps(said))


def test_boot_limit(watch, clock):
    found, orders = watch()
    clock.at += 99
    assert found.reason() is None
    clock.at += 1
    assert found.reason() == "nobody handed work over within 100 s"
    (orders.watch / "handed-over").touch()
    assert found.reason() != "nobody handed work over within 100 s"


def test_deadline_with_allowance_for_another_clock(watch, clock):
    found, orders = watch(BOOT_LIMIT_S=1e6, SILENCE_LIMIT_S=1e6)
    (orders.watch / "handed-over").touch()
    clock.at += 3600 + 119
    assert found.reason() is None
    clock.at += 2
    assert found.reason() == "the deadline has passed"


@pytest.mark.parametrize("wall", [NOW - 86_400, NOW - 600, NOW])
def test_a_clock_that_is_behind_does_not_lengthen_the_life(watch, clock, wall):
    found, orders = watch(wall=wall, BOOT_LIMIT_S=1e6, SILENCE_LIMIT_S=1e6)
    (orders.watch / "handed-over").touch()
    clock.at += 3600 + 121
    assert found.reason() == "the deadline has passed"


def test_budget(watch, clock):
    found, orders = watch(MAX_USD="0.25", BOOT_LIMIT_S=1e6, SILENCE_LIMIT_S=1e6)
    (orders.watch / "handed-over").touch()
    clock.at += 1799
    assert found.reason() is None
    clock.at += 2
    assert found.reason() == "the budget of 0.25 dollars is spent"


def test_the_boot_before_the_first_process_counts_too(watch, clock):
    found, _ = watch(wall=NOW + 1790, MAX_USD="0.25", BOOT_LIMIT_S=1e6)
    assert found.reason() is None
    clock.at += 11
    assert found.reason() == "the budget of 0.25 dollars is spent"


def test_silence_of_the_supervisor(watch, clock):
    found, orders = watch()
    (orders.watch / "handed-over").touch()
    for second in range(0, 200, 20):
        beat(orders, "finished", [1], second)
        clock.at += 20
        assert found.reason() is None
    clock.at += 61
    assert found.reason() == "no word of the supervisor for 60 s"


def test_silence_of_the_worker(watch, clock):
    found, orders = watch()
    (orders.watch / "handed-over").touch()
    for second in range(0, 300, 20):
        beat(orders, "training", [1, 10 + second, 20], second)
        assert found.reason() is None
        clock.at += 20
    for second in range(300, 461, 20):
        beat(orders, "training", [1, 7, 7], second)
        reason = found.reason()
        clock.at += 20
    assert reason == "no progress while training for 120 s"


def test_patience_where_nothing_has_to_move(watch, clock):
    found, orders = watch()
    (orders.watch / "handed-over").touch()
    for second in range(0, 1000, 20):
        beat(orders, "held", [1], second)
        clock.at += 20
        assert found.reason() is None


def test_a_word_ends_it(watch):
    found, orders = watch()
    (orders.watch / "end").write_text("delivered\n")
    assert found.reason() == "delivered"


def test_a_beat_cut_short_is_no_beat(watch, clock):
    found, orders = watch()
    (orders.watch / "handed-over").touch()
    (orders.watch / "beat").write_text('{"pha')
    clock.at += 61
    assert found.reason() == "no word of the supervisor for 60 s"


@pytest.fixture
def control():
    made = []

    def make(**options):
        made.append(Control(**options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def ended(control, run=None):
    told, slept = [], []

    def missing(command):
        raise FileNotFoundError(command[0])

    ways = watchdog.ways(control.environment(), watchdog.send, run or missing)
    watchdog.end(ways, sleep=slept.append, tell=told.append, rounds=1)
    return told


def test_v2_first(control):
    plane = control()
    assert ended(plane) == ["podtune: REST v2 DELETE: accepted"]
    ((name, path, headers, _),) = plane.asked
    assert (name, path) == ("delete", "/v2/pods/pod1")
    assert headers["authorization"] == "Bearer pod-scoped-key"
    assert headers["user-agent"] == watchdog.USER_AGENT


def test_graphql_when_v2_refuses_the_machines_own_key(control):
    plane = control(refuse=("delete",))
    told = ended(plane)
    assert told[0] == "podtune: REST v2 DELETE: refused (403)"
    assert [asked[0] for asked in plane.asked] == ["delete", "podTerminate"]
    sent = json.loads(plane.asked[-1][3])
    assert sent["variables"] == {"pod": "pod1"}
    assert "key" not in plane.asked[-1][1]


def test_stop_when_terminate_is_refused(control):
    plane = control(refuse=("delete", "podTerminate"))
    assert ended(plane)[-1] == "podtune: GraphQL podStop: accepted"


def test_runpodctl_last(control):
    asked = []

    def run(command):
        asked.append(tuple(command))
        return "accepted"

    told = ended(control(refuse=("delete", "podTerminate", "podStop")), run)
    assert told[-1] == "podtune: runpodctl pod delete: accepted"
    assert asked == [("runpodctl", "pod", "delete", "pod1")]


def test_it_goes_on_for_ever(control):
    plane = control(refuse=("delete", "podTerminate", "podStop"))
    told, slept = [], []

    def missing(command):
        raise FileNotFoundError(command[0])

    ways = watchdog.ways(plane.environment(), watchdog.send, missing)
    watchdog.end(ways, sleep=slept.append, tell=told.append, rounds=6)
    assert slept == [10, 20, 30, 60, 60, 60]
    assert len([asked for asked in plane.asked if asked[0] == "delete"]) == 6
    assert not any("pod-scoped-key" in line for line in told)


def test_accepted_but_still_alive_takes_another_way_next(control):
    plane = control()
    told = []
    ways = watchdog.ways(plane.environment(), watchdog.send, lambda _: "accepted")
    watchdog.end(ways, sleep=lambda _: None, tell=told.append, rounds=3)
    assert [asked[0] for asked in plane.asked] == ["delete", "podTerminate", "podStop"]


def test_a_machine_without_a_name_says_so():
    told = []
    ways = watchdog.ways({}, watchdog.send, watchdog.run)
    watchdog.end(ways, sleep=lambda _: None, tell=told.append, rounds=1)
    assert "console" in told[0]


def test_a_program_that_fails_is_told(tmp_path):
    with pytest.raises(OSError, match="not in this image"):
        watchdog.run(["no-such-program-here"])
    with pytest.raises(OSError, match="code 1"):
        watchdog.run(["false"])


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("DEADLINE", "1", "the deadline has passed"),
        ("BOOT_LIMIT_S", "0.3", "nobody handed work over"),
        ("MAX_USD", "0.0000001", "the budget"),
    ],
)
def test_the_program_ends_an_idle_machine(machine, name, value, why):
    machine.environment[f"PODTUNE_{name}"] = value
    machine.start()
    eventually(machine.control.ended.is_set)
    assert why in machine.text()


def test_the_program_ends_a_hung_worker(machine, long_bundle):
    machine.environment["PODTUNE_SILENCE_LIMIT_S"] = "1"
    machine.start()
    eventually(machine.is_up)
    with machine.port() as port:
        port.hand_over(hand_over(long_bundle))
        port.send_bundle(long_bundle, within_s=20)
    eventually(machine.control.ended.is_set)
    assert "no progress while training" in machine.text()
