"""Every offer gets the job's own best plan on it, or the reason why it is left out."""

import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import SpecError
from podtune.planning import cards, price, survey
from podtune.planning.duration import speed_key, work
from podtune.planning.model_facts import facts_from_config
from support import build, renting


def by_gpu(verdicts):
    return {v.offer.gpu: v for v in verdicts}


def test_each_card_has_its_own_best_plan():
    found = by_gpu(renting.verdicts())
    assert found["NVIDIA RTX A4000"].plan.spec.adapter.bits == 4
    assert found["NVIDIA A40"].plan.spec.adapter.bits == 16
    assert found["NVIDIA A40"].plan.spec.training.gradient_checkpointing is False
    assert found["NVIDIA RTX A5000"].plan.spec.training.gradient_checkpointing is True


def test_an_offer_that_is_left_out_has_a_reason_and_nothing_else():
    found = by_gpu(renting.verdicts())
    for gpu, why in (("NVIDIA B200", "none free"), ("AMD Instinct MI300X OAM", "CUDA")):
        assert why in found[gpu].reason
        assert (found[gpu].plan, found[gpu].rung) == (None, None)


def test_too_little_memory_is_said_with_both_figures():
    verdict = by_gpu(renting.verdicts(renting.given({"adapter.bits": 16})))["NVIDIA RTX A4000"]
    assert verdict.reason.startswith("needs 18.7 GiB")
    assert "has 16.0 GiB" in verdict.reason
    assert verdict.needed_bytes > 16 * 1024**3


def test_what_runs_stands_first_and_the_best_of_it_before_the_rest():
    verdicts = renting.verdicts()
    runs = [v.rung is not None for v in verdicts]
    assert runs == sorted(runs, reverse=True)
    scores = [price.score(v.rung) for v in verdicts if v.rung]
    assert scores == sorted(scores)


@given(st.integers(0, 10**6))
def test_the_order_does_not_depend_on_the_order_of_the_offers(seed):
    shuffled = list(renting.OFFERS)
    random.Random(seed).shuffle(shuffled)
    expected = [v.offer.gpu for v in renting.verdicts()]
    assert [v.offer.gpu for v in renting.verdicts(offers=shuffled)] == expected


@given(st.decimals("0.01", 20, places=2), st.decimals("0.01", 20, places=2))
def test_a_cheaper_offer_of_the_same_card_never_stands_behind(one, other):
    both = [build.offer(usd=str(usd)) for usd in (one, other)]
    verdicts = renting.verdicts(offers=both)
    assert verdicts[0].offer.usd_per_hour == min(one, other)
    assert all(isinstance(v.rung.usd_p50, Decimal) and v.rung.usd_p50 >= 0 for v in verdicts)


def test_a_remembered_speed_of_a_card_counts_for_that_card():
    job = renting.given()
    plain = by_gpu(renting.verdicts(job))["NVIDIA A40"]
    done = work(plain.plan.spec, plain.rung.device, 1, tokens=1)
    key = speed_key(plain.rung.device, done, job.facts)
    slow = by_gpu(renting.verdicts(job._replace(reached_speeds={key: 1e12})))
    assert slow["NVIDIA A40"].rung.hours_p50 > 5 * plain.rung.hours_p50
    assert slow["NVIDIA RTX A6000"].rung == by_gpu(renting.verdicts(job))["NVIDIA RTX A6000"].rung


def test_a_card_too_slow_for_the_minutes_is_left_out():
    job = renting.given(minutes=0.5, facts=renting.QWEN3_8B, rows=2000)
    reasons = {v.reason for v in renting.verdicts(job)}
    assert "too slow for --minutes" in reasons


def test_what_no_machine_can_do_is_refused_at_once():
    with pytest.raises(SpecError, match="no experts"):
        renting.verdicts(renting.given({"adapter.experts": True}))


def test_the_stand_in_trains_on_the_processor():
    here = build.offer(cards.STAND_IN_CPU, 64, "0.01", name="CPU of this machine")
    (verdict,) = renting.verdicts(renting.given(facts=build.facts()), offers=[here])
    assert verdict.rung.device.kind == "cpu"
    assert verdict.plan.spec.training.precision == "fp32"


def test_the_table_for_machines_holds_json_values_only():
    rows = survey.table(renting.verdicts())
    assert len(rows) == len(renting.OFFERS)
    for row in rows:
        assert all(isinstance(v, str | int | float) for v in row.values())
        assert bool(row["reason"]) == ("usd_p50" not in row)


def test_an_offer_in_words_has_money_and_time():
    words = survey.in_words(renting.verdicts()[0])
    assert "RTX A5000: about $0." in words
    assert " min (p90 $0." in words


def dense(model_type, hidden, layers, heads, kv, inner, vocab):
    """A base model by its shape alone, in 16 bits on the Hub."""
    config = {
        "model_type": model_type, "hidden_size": hidden, "num_hidden_layers": layers,
        "num_attention_heads": heads, "num_key_value_heads": kv, "intermediate_size": inner,
        "vocab_size": vocab, "max_position_embeddings": 4096, "tie_word_embeddings": False,
    }  # fmt: skip
    return facts_from_config(
        config,
        name="org/model",
        revision="0" * 40,
        source="hub",
        location=None,
        download_bytes=None,
    )


GUIDE = {
    "7B": dense("mistral", 4096, 32, 32, 8, 14_336, 32_000),
    "13B": dense("llama", 5120, 40, 40, 40, 13_824, 32_000),
    "70B": dense("llama", 8192, 80, 64, 8, 28_672, 32_000),
}
"""Shapes of Mistral-7B, Llama-2-13B and Llama-2-70B, from their `config.json`."""


@pytest.mark.parametrize(("size", "gpu", "bits"), [
    ("7B", "NVIDIA RTX A5000", 16),
    ("13B", "NVIDIA RTX A6000", 16),
    ("70B", "NVIDIA A100 80GB PCIe", 4),
])  # fmt: skip
def test_the_specifications_guide_to_cards_by_arithmetic(size, gpu, bits):
    """Specification A's table: these cards hold an adapter of a model of this size."""
    job = renting.given({"where.max_usd": 1000}, facts=GUIDE[size])
    verdict = by_gpu(renting.verdicts(job))[gpu]
    assert verdict.reason == ""
    assert verdict.plan.spec.adapter.bits == bits
    assert verdict.rung.usd_p50 > 0


def test_the_specifications_guide_is_wrong_about_full_training():
    """7B in full on 48 GB, it says; the weights and the optimizer's states alone are over that."""
    job = renting.given({"adapter.kind": "full", "where.max_usd": 1000}, facts=GUIDE["7B"])
    verdict = by_gpu(renting.verdicts(job))["NVIDIA RTX A6000"]
    assert verdict.plan is None
    assert verdict.reason == "needs 116.3 GiB, has 48.0 GiB"
