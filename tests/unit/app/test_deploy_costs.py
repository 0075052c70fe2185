from decimal import Decimal

from podtune.app.deploy_costs import costs_of, up, volume_month
from podtune.app.deploy_wish import Wish
from podtune.app.gpu_pools import PoolChoice
from podtune.providers.runpod.wire import Volume

A100 = PoolChoice(("AMPERE_80",), (), ("A100 SXM",), Decimal("2.72"), True)
WISH = Wish(image="i:1")


def test_an_idle_endpoint_costs_nothing():
    costs = costs_of(WISH, A100, None)
    assert costs.idle_usd_per_hour == 0
    assert costs.worker_usd_per_hour == Decimal("2.72")
    assert costs.most_usd_per_hour == Decimal("5.44")
    assert costs.longest_job_usd == Decimal("32.69")
    said = costs.lines(WISH)
    assert said[0] == "$0 an hour while no job is there"
    assert "12 h 00 min ($32.69)" in said[2]


def test_workers_that_always_run_are_counted_and_said():
    wish = WISH.model_copy(update={"workers_min": 1})
    assert costs_of(wish, A100, None).idle_usd_per_hour == Decimal("2.72")
    unknown = costs_of(wish, A100._replace(usd_per_hour=None), None)
    assert unknown.lines(wish)[0] == "1 workers bill while no job is there"
    assert "does not say" in unknown.lines(wish)[1]


def test_a_volume_costs_by_the_month_whether_used_or_not():
    volume = Volume("v", "cache", 200, "US-KS-2")
    assert volume_month(volume) == Decimal("14.00")
    assert "the volume $14.00 a month" in costs_of(WISH, A100, volume).lines(WISH)[-1]
    assert volume_month(Volume("v")) is None
    assert volume_month(None) is None


def test_amounts_are_rounded_up():
    assert up(Decimal("0.0001")) == Decimal("0.01")
    assert up(None) is None
