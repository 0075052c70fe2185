from datetime import timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.testing.clock import START
from podtune.testing.meter import Entry, pod_rates
from support.stand_in import Desk


def test_rates_by_status():
    desk = Desk()
    pod = desk.cloud.account.pods[desk.running()]
    assert pod_rates(pod)["gpu"] == Decimal("0.40")
    running = pod_rates(pod)["disk"]
    desk.act(pod.id, "stop")
    assert set(pod_rates(pod)) == {"disk"}
    assert pod_rates(pod)["disk"] / 50 == 2 * running / 70
    desk.ask("DELETE", f"/v2/pods/{pod.id}")
    assert desk.cloud.account.live_pods() == []


def test_a_span_is_booked_by_the_hour():
    desk = Desk()
    span = (START + timedelta(minutes=30), START + timedelta(minutes=90))
    assert desk.cloud.meter.charge("pods", "p", "gpu", Decimal(2), span) == 2
    assert desk.cloud.meter.booked == {
        Entry("pods", "p", "gpu", START): 1,
        Entry("pods", "p", "gpu", START + timedelta(hours=1)): 1,
    }
    assert desk.cloud.account.balance_usd == 23


@settings(deadline=None)
@given(st.lists(st.integers(1, 100_000_000_000), min_size=1, max_size=20))
def test_money_does_not_depend_on_how_often_it_is_settled(steps_us):
    desk = Desk(balance_usd=10**9)
    at = START
    for step in steps_us:
        after = at + timedelta(microseconds=step)
        desk.cloud.meter.charge("pods", "often", "gpu", Decimal("0.44"), (at, after))
        at = after
    desk.cloud.meter.charge("pods", "once", "gpu", Decimal("0.44"), (START, at))
    often, once = desk.cloud.meter.total("often"), desk.cloud.meter.total("once")
    assert abs(often - once) < Decimal("1e-15")
    assert desk.cloud.account.spent_usd == often + once
