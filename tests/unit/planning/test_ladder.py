"""The ladder: one spec for all rungs, the cheapest in the end first, within ceiling and hours."""

import random
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from podtune.core.errors import SpecError
from podtune.core.limits import DEFAULTS, Limits
from podtune.core.offer import Stock
from podtune.planning import cards, ladder, price
from support import build, renting


def gpus(plan):
    return [rung.offer.gpu for rung in plan.price.ladder]


def test_the_first_rung_gives_the_plans_device_and_time():
    plan = renting.plan()
    first = plan.price.first
    assert plan.device == first.device
    assert plan.time.training_s / 3600 < first.hours_p50
    assert plan.usd == float(first.usd_p50)


def test_rungs_are_ordered_by_what_their_cost_counts_as():
    scores = [price.score(rung) for rung in renting.plan().price.ladder]
    assert scores == sorted(scores)


def test_an_unquantised_base_is_preferred_where_it_costs_little_more():
    plan = renting.plan()
    assert plan.spec.adapter.bits == 16
    assert "NVIDIA RTX A4000" not in gpus(plan)  # cannot hold it


def test_a_quantised_base_is_taken_where_it_is_much_cheaper():
    offers = [build.offer("NVIDIA RTX A4000", 16, "0.25"), build.offer("NVIDIA H200", 141, "9")]
    plan = renting.plan(offers=offers)
    assert plan.spec.adapter.bits == 4
    assert gpus(plan) == ["NVIDIA RTX A4000", "NVIDIA H200"]


def test_every_rung_holds_the_settled_spec():
    plan = renting.plan(renting.given({"where.gpu_avoid": "A5000"}))
    needed = plan.memory.total
    assert plan.spec.training.gradient_checkpointing is False
    assert all(rung.device.memory_bytes >= needed for rung in plan.price.ladder)
    assert "NVIDIA GeForce RTX 4090" not in gpus(plan)


def test_a_card_without_bf16_runs_no_plan_in_bf16():
    offers = [build.offer("NVIDIA A40", 48), build.offer("Quadro RTX 8000", 48, "0.39")]
    plan = renting.plan(renting.given({"training.precision": "bf16"}), offers)
    assert gpus(plan) == ["NVIDIA A40"]


def test_the_stand_in_and_real_cards_never_share_a_ladder():
    here = build.offer(cards.STAND_IN_CPU, 16, "0.01")
    plan = renting.plan(renting.given(facts=build.facts()), [here, *renting.OFFERS])
    assert gpus(plan) == [cards.STAND_IN_CPU]
    assert plan.device.kind == "cpu"
    big = renting.plan(offers=[here, *renting.OFFERS])
    assert big.device.kind == "cuda"
    assert cards.STAND_IN_CPU not in gpus(big)


def test_none_in_stock_is_out_and_low_stock_comes_later():
    offers = [
        build.offer("NVIDIA A40", 48, "0.40", stock=Stock.LOW),
        build.offer("NVIDIA L40", 48, "0.55", stock=Stock.HIGH),
        build.offer("NVIDIA L40S", 48, "0.01", stock=Stock.NONE),
    ]
    assert gpus(renting.plan(offers=offers)) == ["NVIDIA L40", "NVIDIA A40"]


def test_rungs_over_the_ceiling_are_left_out():
    plan = renting.plan(renting.given({"where.max_usd": 0.1}))
    assert all(rung.usd_p50 <= Decimal("0.1") for rung in plan.price.ladder)
    assert len(gpus(plan)) < len(gpus(renting.plan()))
    assert plan.price.max_usd == Decimal("0.1")


def test_rungs_too_slow_for_the_stated_hours_are_left_out():
    job = renting.given({"where.max_hours": 0.1, "training.epochs": 3}, rows=2000)
    plan = renting.plan(job)
    assert plan.price.max_hours == 0.1
    assert all(rung.hours_p50 <= 0.1 for rung in plan.price.ladder)


def test_without_stated_hours_a_machine_lives_as_long_as_the_ceiling_pays():
    offers = [build.offer("NVIDIA A40", 48, "0.40"), build.offer("NVIDIA L40S", 48, "0.80")]
    made = renting.plan(renting.given({"where.max_usd": 2}), offers).price
    assert made.reserve_s == 180, "kept back of the ceiling"
    assert made.max_hours == pytest.approx(4.95)
    assert [made.life_hours(rung) for rung in made.ladder] == pytest.approx([4.95, 2.45])


def test_a_ceiling_also_pays_for_a_machine_that_outlives_its_deadline():
    """What is planned is ordered: the workflow refuses none that was planned under the same limits."""
    offers = [build.offer("NVIDIA A40", 48, "0.40")]
    top = renting.plan(offers=offers).price.first
    least = price.least_ceiling(top, DEFAULTS)
    assert least == top.usd_p50 + Decimal("0.02"), "three minutes at $0.40"
    made = renting.plan(renting.given({"where.max_usd": float(least)}), offers)
    assert made.price.max_usd == least
    with pytest.raises(SpecError, match=r"and \$0\.02 are kept back") as caught:
        renting.plan(renting.given({"where.max_usd": float(least) - 0.0001}), offers)
    assert caught.value.code == "ceiling_too_low"
    hasty = Limits(upload_reserve_s=100_000)
    assert price.least_ceiling(top, hasty) > Decimal("0.40") * 100_180 / 3600
    job = renting.given({"where.max_hours": 20})
    with pytest.raises(SpecError, match="may live"):
        ladder.rented(job, offers, renting.wishes(job), hasty)


def test_no_machine_lives_longer_than_a_day_unasked():
    rich = renting.plan(renting.given({"where.max_usd": 1000}))
    assert rich.price.max_hours == ladder.MOST_HOURS
    asked = renting.plan(renting.given({"where.max_usd": 1000, "where.max_hours": 48}))
    assert asked.price.max_hours == 48


def test_p90_over_the_ceiling_is_a_warning():
    p90 = renting.plan().price.first.usd_p90
    plan = renting.plan(renting.given({"where.max_usd": float(p90) - 0.01}))
    (warning,) = [w for w in plan.warnings if "ceiling" in w]
    assert price.money(p90) in warning
    assert "--budget 1" in warning
    assert not [w for w in renting.plan().warnings if "ceiling" in w]


def test_p90_over_the_hours_is_a_warning():
    first = renting.plan().price.first
    hours = (first.hours_p50 + first.hours_p90) / 2
    job = renting.given({"where.max_hours": hours, "where.gpu": first.offer.gpu})
    assert any("where.max_hours" in w for w in renting.plan(job).warnings)


def test_one_card_alone_is_a_warning():
    alone = renting.plan(renting.given({"where.gpu": "A40"}))
    assert gpus(alone) == ["NVIDIA A40"]
    assert any("no other card" in w for w in alone.warnings)


def test_a_guessed_card_is_a_warning():
    plan = renting.plan(offers=[build.offer("NVIDIA X9000", 48)])
    assert any("guessed" in w for w in plan.warnings)
    assert "assumed from its size" in plan.time.basis


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"where.gpu": "rtx a6000"}, {"NVIDIA RTX A6000"}),
        ({"where.gpu_any_of": ["A40", "A6000"]}, {"NVIDIA A40", "NVIDIA RTX A6000"}),
        ({"where.min_vram_gib": 80, "where.gpu_avoid": ["H100"]}, {"NVIDIA A100 80GB PCIe"}),
        ({"where.region": "CA-MTL-1"}, {"NVIDIA A40"}),
    ],
)
def test_wishes_are_respected(stated, expected):
    assert set(gpus(renting.plan(renting.given(stated)))) == expected


def test_a_card_asked_for_by_name_that_needs_another_plan_is_said():
    plan = renting.plan(renting.given({"where.gpu_any_of": ["A40", "A4000"]}))
    assert gpus(plan) == ["NVIDIA A40"]
    assert any(
        w.startswith("RTX A4000 could train this only in another way") for w in plan.warnings
    )


def test_where_gpu_stays_open_and_its_note_names_the_first():
    plan = renting.plan()
    assert plan.spec.where.gpu == "auto"
    assert plan.price.first.offer.name in plan.note("where.gpu").why


def test_the_digest_holds_prices_and_not_the_moment_they_were_read():
    later = [
        o.model_copy(update={"fetched_at": o.fetched_at + timedelta(hours=1)})
        for o in renting.OFFERS
    ]
    dearer = [o.model_copy(update={"usd_per_hour": 2 * o.usd_per_hour}) for o in renting.OFFERS]
    assert renting.plan(offers=later).digest == renting.plan().digest
    assert renting.plan(offers=dearer).digest != renting.plan().digest


def test_a_plan_survives_being_written():
    plan = renting.plan()
    again = type(plan).model_validate_json(plan.model_dump_json())
    assert again == plan
    assert again.digest == plan.digest


def test_local_advice_is_not_given_for_rented_machines():
    job = renting.given({"training.epochs": 50, "where.max_usd": 50}, rows=4000)
    assert not any("--minutes" in w for w in renting.plan(job).warnings)


def test_minutes_shorten_for_the_first_rung():
    plan = renting.plan(renting.given({"training.epochs": 9}, rows=2000, minutes=5.0))
    assert plan.schedule.left_out
    assert plan.time.training_s <= 300


@settings(max_examples=30)
@given(st.randoms(use_true_random=False), st.sampled_from(["0.2", "1", "5"]))
def test_the_ladder_does_not_depend_on_the_order_of_the_offers(chance: random.Random, ceiling):
    job = renting.given({"where.max_usd": float(ceiling)})
    shuffled = list(renting.OFFERS)
    chance.shuffle(shuffled)
    assert renting.plan(job, shuffled) == renting.plan(job)


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([("NVIDIA A40", 48), ("NVIDIA RTX A5000", 24), ("NVIDIA H200", 141)]),
            st.decimals("0.05", 6, places=2),
            st.sampled_from(list(Stock)),
        ),
        min_size=1,
        max_size=6,
    ),
    st.decimals("0.02", 20, places=2),
)
def test_whatever_is_offered_money_stays_within_the_ceiling(rows, ceiling):
    offers = [build.offer(gpu, vram, str(usd), stock=stock) for (gpu, vram), usd, stock in rows]
    job = renting.given({"where.max_usd": float(ceiling)})
    try:
        made = renting.plan(job, offers).price
    except SpecError as refused:
        event(refused.code)
        return
    for rung in made.ladder:
        assert isinstance(rung.usd_p50, Decimal)
        assert 0 <= rung.usd_p50 <= rung.usd_p90
        assert rung.usd_p50 <= made.max_usd
        assert rung.offer.stock is not Stock.NONE
        assert made.life_hours(rung) >= rung.hours_p50 * 0.99
    for earlier, later in zip(made.ladder, made.ladder[1:], strict=False):
        same = (earlier.offer.gpu, earlier.offer.stock) == (later.offer.gpu, later.offer.stock)
        assert not same or earlier.offer.hourly <= later.offer.hourly
