"""How long a training takes follows from a measured speed, or from a table that says so."""

import pytest

from podtune.core.plan import Device
from podtune.planning import duration, model_facts
from podtune.storage.base_models import PACKAGE_CONFIG
from support import build, renting

PLAIN = duration.Work("fp32", 1)


def device(kind="cpu", cores=2, *, bf16=False):
    return Device(kind=kind, name="x", memory_bytes=1 << 34, cores=cores, bf16=bf16)


@pytest.fixture(scope="module")
def facts():
    return model_facts.facts_from_config(
        PACKAGE_CONFIG, name="m", revision=None, source="path", location=None
    )


def estimate(facts, device, **changes):
    reached = changes.pop("reached_flops", None)
    work = duration.Work(**({"precision": "fp32", "tokens": 10_000} | changes))
    return duration.estimate(facts, device, work, reached_flops=reached)


def test_operations_of_a_token_by_hand(facts):
    once = facts.linear_parameters + 49152 * 576 / 4
    assert duration.flop_per_token(facts, PLAIN) == 4 * once
    assert duration.flop_per_token(facts, PLAIN._replace(full=True)) == 6 * once
    assert duration.flop_per_token(facts, PLAIN._replace(reference=True)) == 6 * once
    checkpointed = duration.flop_per_token(facts, PLAIN._replace(checkpointing=True))
    assert checkpointed == pytest.approx(4 * once * 4 / 3)


def test_of_a_mixture_only_the_experts_that_a_token_meets_count():
    mixture = build.facts(
        model_type="qwen3_moe", num_experts=8, num_experts_per_tok=2, moe_intermediate_size=32
    )
    active = mixture.linear_parameters + mixture.experts.parameters / 4
    assert duration.active_parameters(mixture) == active
    assert duration.flop_per_token(mixture, PLAIN) == 4 * (active + 512 * 64 / 4)


def test_several_devices_train_at_the_same_time(facts):
    one, two = (estimate(facts, device("cuda"), devices=n) for n in (1, 2))
    assert two.tokens_per_second == pytest.approx(2 * one.tokens_per_second)
    assert two.around_s == one.around_s


def test_processes_of_a_cpu_share_its_cores():
    spec = build.plan({"where.count": 2}).spec
    assert duration.work(spec, device(), 2, tokens=1).devices == 1
    assert duration.work(spec, device("cuda"), 2, tokens=1).devices == 2


@pytest.mark.parametrize(
    ("stated", "field"),
    [
        ({"adapter.kind": "full"}, "full"),
        ({"training.gradient_checkpointing": True}, "checkpointing"),
        ({"method": "dpo"}, "reference"),
        ({"method": "kto"}, "reference"),
    ],
)
def test_what_a_spec_has_to_compute(stated, field):
    assert getattr(duration.work(build.plan(stated).spec, device(), 1, tokens=1), field)
    assert not getattr(duration.work(build.plan().spec, device(), 1, tokens=1), field)


@pytest.mark.parametrize(("precision", "bf16"), [("bf16", False), ("fp16", True), ("fp16", False)])
def test_a_precision_that_the_hardware_lacks_is_slow(facts, precision, bf16):
    slow = estimate(facts, device(bf16=bf16), precision=precision)
    assert slow.tokens_per_second * 7 == pytest.approx(estimate(facts, device()).tokens_per_second)
    assert "lacks" in slow.basis


def test_a_measured_speed_decides_alone(facts):
    found = estimate(
        facts, device(cores=64), reached_flops=duration.flop_per_token(facts, PLAIN) * 100
    )
    assert found.tokens_per_second == pytest.approx(100)
    assert found.training_s == pytest.approx(100)
    assert found.basis == "the last run on this machine"


def test_the_table_scales_with_the_cores(facts):
    two, four = estimate(facts, device(cores=2)), estimate(facts, device(cores=4))
    assert four.tokens_per_second == pytest.approx(2 * two.tokens_per_second)
    assert "table" in two.basis


def test_the_demo_on_two_cores_is_near_the_lab_figure(facts):
    assert 100 < estimate(facts, device(cores=2)).tokens_per_second < 300


def test_training_time_is_linear_in_tokens(facts):
    once = estimate(facts, device(), tokens=5_000)
    twice = estimate(facts, device(), tokens=10_000)
    assert twice.training_s == pytest.approx(2 * once.training_s)
    assert twice.around_s == once.around_s


def test_answers_cost_time_around_the_training(facts):
    none, some = estimate(facts, device()), estimate(facts, device(), answers=16)
    assert some.around_s > none.around_s == duration.IMPORT_AND_LOAD_S
    assert some.training_s == none.training_s


def test_an_unmeasured_accelerator_says_that_it_is_assumed(facts):
    assert "assumed for mps" in estimate(facts, device("mps")).basis
    assert "assumed from its size of x" in estimate(facts, device("cuda")).basis
    known = device("cuda").model_copy(update={"name": "NVIDIA A40"})
    assert "assumed from the data sheet of NVIDIA A40" in estimate(facts, known).basis


def card(name, memory_gib=48):
    return build.device("cuda", memory_gib, bf16=True).model_copy(update={"name": name})


def large():
    return renting.QWEN3_8B


def test_a_card_is_as_fast_as_its_row_says():
    slow, fast = (
        estimate(large(), card(name), precision="bf16").tokens_per_second
        for name in ("NVIDIA A40", "NVIDIA H100 80GB HBM3")
    )
    assert fast / slow == pytest.approx(989 / 149.7)


def test_a_large_model_on_a_card_by_hand():
    found = estimate(large(), card("NVIDIA A100 80GB PCIe"), precision="bf16", bits=16)
    per_token = duration.flop_per_token(large(), duration.Work("bf16", 1))
    assert found.tokens_per_second == pytest.approx(312e12 * 0.35 / per_token)


@pytest.mark.parametrize(
    ("changes", "factor"),
    [({"bits": 4}, duration.CARD_4_BIT_SLOWER), ({"precision": "fp32"}, 8.0)],
)
def test_what_is_slower_on_a_card(changes, factor):
    plain = estimate(large(), card("NVIDIA A40"), precision="bf16", bits=16)
    slower = estimate(large(), card("NVIDIA A40"), **{"precision": "bf16", "bits": 16, **changes})
    assert slower.training_s == pytest.approx(factor * plain.training_s)


def test_a_small_model_is_bound_by_the_number_of_passes(facts):
    bound = estimate(facts, card("NVIDIA H200"), precision="bf16", passes=100)
    assert bound.training_s == pytest.approx(100 * duration.CARD_LAYER_S * facts.layers)
    assert bound.tokens_per_second == pytest.approx(10_000 / bound.training_s)


def test_a_measured_card_names_itself(facts):
    found = estimate(facts, card("NVIDIA A40"), passes=1e6, reached_flops=1e13)
    assert found.basis == "the last run on NVIDIA A40"
    assert found.training_s < 1000


def test_loading_a_large_model_onto_a_card_takes_time(facts):
    assert estimate(large(), card("x")).around_s > estimate(facts, card("x")).around_s + 30


def test_the_total_is_training_and_what_is_around(facts):
    found = estimate(facts, device(), answers=4)
    assert found.total_s == found.training_s + found.around_s


@pytest.mark.parametrize(
    ("given", "key"),
    [
        (device(cores=2), "cpu-2-fp32"),
        (device(cores=8), "cpu-8-fp32"),
        (device("cuda", cores=8), "x-fp32-2^27"),
    ],
)
def test_speeds_are_kept_by_cores_or_by_card_and_size_of_the_model(facts, given, key):
    assert duration.speed_key(given, PLAIN, facts) == key


def test_speeds_in_4_bits_are_kept_apart():
    given = duration.Work("bf16", 1, bits=4)
    assert duration.speed_key(card("NVIDIA A40"), given, large()) == "NVIDIA A40-bf16-4bit-2^33"
