"""How long a training takes follows from a measured speed, or from a table that says so."""

import pytest

from podtune.core.plan import Device
from podtune.planning import duration, model_facts
from podtune.storage.base_models import PACKAGE_CONFIG
from support import build

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


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_an_unmeasured_accelerator_says_that_it_is_assumed(facts, kind):
    assert f"assumed for {kind}" in estimate(facts, device(kind)).basis


def test_the_total_is_training_and_what_is_around(facts):
    found = estimate(facts, device(), answers=4)
    assert found.total_s == found.training_s + found.around_s


@pytest.mark.parametrize(
    ("given", "key"),
    [
        (device(cores=2), "cpu-2-fp32"),
        (device(cores=8), "cpu-8-fp32"),
        (device("cuda", cores=8), "cuda-fp32"),
    ],
)
def test_speeds_of_processors_are_kept_by_core_count(given, key):
    assert duration.speed_key(given, "fp32") == key
