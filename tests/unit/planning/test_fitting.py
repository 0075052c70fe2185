"""The first choice that fits the memory is taken; what is stated is kept, or refused with figures."""

import pytest

from podtune.core.errors import SpecError
from podtune.core.request import TrainingRequest
from podtune.core.spec import AdapterKind
from podtune.core.units import GIB
from podtune.intake.resolve import resolve
from podtune.planning import fitting
from support import build

QWEN3_8B = build.facts(
    4096, 36, 151_936, model_type="qwen3", num_attention_heads=32, num_key_value_heads=8,
    head_dim=128, intermediate_size=12_288, tie_word_embeddings=False,
)  # fmt: skip
QWEN3_NEXT = build.facts(
    2048, 48, 151_936, model_type="qwen3_next", num_attention_heads=16, num_key_value_heads=2,
    head_dim=256, num_experts=512, num_experts_per_tok=10, moe_intermediate_size=512,
    shared_expert_intermediate_size=512, tie_word_embeddings=False,
)  # fmt: skip


def spec(**sections):
    stated = {name.replace("__", "."): value for name, value in sections.items()}
    request = {"data.source": "x.jsonl", "base_model.name": "org/model", **stated}
    return resolve(TrainingRequest(stated=request)).spec


def card(memory_gib, *, bf16=True, kind="cuda", count=4):
    device = build.device(kind, memory_gib, cores=8, bf16=bf16)
    return device.model_copy(update={"count": count})


def fit(wanted, facts=QWEN3_8B, device=None, *, tokens=2048, local=1, world=1):
    load = fitting.Load(tokens, tokens // 2, local, world)
    return fitting.fit(wanted, facts, device or card(80), load)


@pytest.mark.parametrize(
    ("memory_gib", "kind", "bits", "checkpointing"),
    [
        (80, "lora", 16, False),
        (24, "lora", 16, True),
        (16, "qlora", 4, True),
    ],
)
def test_smaller_cards_take_cheaper_choices(memory_gib, kind, bits, checkpointing):
    choice = fit(spec(), device=card(memory_gib)).choice
    assert (choice.kind, choice.bits, choice.checkpointing) == (kind, bits, checkpointing)


def test_what_did_not_fit_is_said():
    assert fit(spec()).spared == ""
    assert fit(spec(), device=card(24)).spared == (
        "16-bit weights without checkpointing would not fit"
    )
    assert fit(spec(), device=card(16)).spared == "16-bit weights would not fit"


def test_the_smallest_need_is_named_where_nothing_fits():
    with pytest.raises(
        SpecError, match=r"the training needs .*base model .* has 4\.0 GiB"
    ) as caught:
        fit(spec(), device=card(4))
    assert caught.value.code == "does_not_fit"
    parts = caught.value.context["parts"]
    assert sum(parts.values()) == caught.value.context["needed_bytes"]
    assert parts["base model"] < 6 * GIB  # in 4 bits, the smallest


@pytest.mark.parametrize(
    ("stated", "kind", "bits"),
    [
        ({"adapter__kind": "dora"}, "dora", 16),
        ({"adapter__kind": "rslora", "adapter__bits": 8}, "rslora", 8),
        ({"adapter__kind": "lora", "adapter__bits": 4}, "lora", 4),
        ({"adapter__kind": "qlora"}, "qlora", 4),
        ({"adapter__bits": 4}, "qlora", 4),
        ({"adapter__bits": 8}, "lora", 8),
        ({"adapter__bits": 32}, "lora", 32),
    ],
)
def test_what_is_stated_is_kept(stated, kind, bits):
    choice = fit(spec(**stated)).choice
    assert (choice.kind, choice.bits) == (kind, bits)


def test_a_stated_kind_still_falls_to_4_bits_where_it_must():
    choice = fit(spec(adapter__kind="dora"), device=card(20)).choice
    assert (choice.kind, choice.bits) == (AdapterKind.DORA, 4)


def test_stated_checkpointing_is_kept_even_where_it_is_not_needed():
    assert fit(spec(training__gradient_checkpointing=True)).choice.checkpointing
    never = spec(training__gradient_checkpointing=False)
    assert not fit(never, device=card(40)).choice.checkpointing


@pytest.mark.parametrize(
    ("stated", "device", "precision"),
    [
        ({}, card(80), "bf16"),
        ({}, card(80, bf16=False), "fp16"),
        ({}, card(80, bf16=False, kind="cpu"), "fp32"),
        ({}, card(80, bf16=True, kind="cpu"), "bf16"),
        ({}, card(80, bf16=False, kind="mps"), "fp32"),
        ({"adapter__bits": 16}, card(80, bf16=False, kind="cpu"), "bf16"),
        ({"adapter__bits": 32}, card(80), "fp32"),
        ({"training__precision": "fp16"}, card(80), "fp16"),
        ({"training__precision": "fp32"}, card(80), "fp32"),
        ({"adapter__bits": 4, "training__precision": "fp16"}, card(80), "fp16"),
    ],
)
def test_the_precision_is_that_of_the_hardware_or_as_stated(stated, device, precision):
    choice = fit(spec(**stated), device=device).choice
    assert choice.precision == precision


def test_full_training_takes_all_bits_unless_fewer_are_stated():
    full = spec(adapter__kind="full")
    wide = fit(full, device=card(150)).choice
    assert (wide.kind, wide.bits, wide.precision) == ("full", 32, "fp32")
    with pytest.raises(SpecError):
        fit(full, device=card(100))
    for stated in ({"adapter__bits": 16}, {"training__precision": "bf16"}):
        narrow = fit(spec(adapter__kind="full", **stated), device=card(100)).choice
        assert (narrow.bits, narrow.precision) == (16, "bf16")


def test_full_training_where_it_does_not_fit_is_refused_with_the_figures():
    with pytest.raises(SpecError, match="full fine-tuning needs") as caught:
        fit(spec(adapter__kind="full"), device=card(48))
    assert caught.value.code == "does_not_fit"
    assert "adapter.kind=auto" in caught.value.hint


def test_full_training_in_fp16_is_refused():
    with pytest.raises(SpecError, match="fp16 loses small updates"):
        fit(spec(adapter__kind="full", training__precision="fp16"))


def test_a_full_preference_training_holds_no_second_model():
    load = fitting.Load(512, 256, 1, 1)
    choice = fitting.Choice(AdapterKind.FULL, 16, "bf16", True, "ddp")
    weights = {
        method: fitting.estimate(
            spec(adapter__kind="full", method=method), QWEN3_8B, card(80), load, choice
        ).weights
        for method in ("sft", "orpo", "dpo", "kto")
    }
    assert len(set(weights.values())) == 1


def test_the_80b_mixture_fits_one_80_gib_card_in_4_bits():
    fitted = fit(spec(), QWEN3_NEXT, tokens=4096)
    assert (fitted.choice.kind, fitted.choice.bits) == ("qlora", 4)
    assert (
        fit(spec(training__gradient_checkpointing=True), QWEN3_NEXT, tokens=4096).needed.total
        < 50 * GIB
    )


def test_experts_in_8_bits_are_refused():
    with pytest.raises(SpecError, match="experts cannot be held in 8 bits"):
        fit(spec(adapter__bits=8), QWEN3_NEXT)


def test_what_one_device_cannot_hold_is_spread_over_several():
    wide = spec(adapter__bits=16, training__gradient_checkpointing=True)
    with pytest.raises(SpecError):
        fit(wide, device=card(16))
    fitted = fit(wide, device=card(16), local=4, world=4)
    assert fitted.choice.sharding == "fsdp"
    assert fit(wide, device=card(80), local=4, world=4).choice.sharding == "ddp"


@pytest.mark.parametrize(
    "stated", [{"adapter__bits": 4}, {"adapter__kind": "dora"}, {"adapter__kind": "full"}]
)
def test_what_cannot_be_spread_is_refused_where_it_is_asked_for(stated):
    wanted = spec(training__sharding="fsdp", where__count=2, **stated)
    with pytest.raises(SpecError, match="fsdp spreads a frozen base") as caught:
        fit(wanted, local=2, world=2)
    assert caught.value.code == "contradiction"


def test_linear_attention_is_not_spread():
    wanted = spec(training__sharding="fsdp", where__count=2)
    with pytest.raises(SpecError, match="without linear attention"):
        fit(wanted, facts=QWEN3_NEXT, local=2, world=2)


def test_spreading_leaves_4_bits_out_of_the_choice():
    wanted = spec(training__sharding="fsdp", where__count=2)
    assert fit(wanted, local=2, world=2).choice.bits == 16


def test_cards_are_used_whole_and_a_cpu_is_shared():
    load = fitting.Load(1, 1, 4, 4)
    assert fitting.share(card(80), load) == 80 * GIB
    assert fitting.share(card(80, kind="cpu"), load) == 20 * GIB


def test_a_settled_spec_runs_where_its_memory_and_precision_are():
    settled = build.plan(facts=QWEN3_8B, device=card(48)).spec
    load = fitting.Load(2048, 1024, 1, 1)
    assert fitting.runs(settled, QWEN3_8B, card(48), load)
    assert not fitting.runs(settled, QWEN3_8B, card(16), load)
    assert not fitting.runs(settled, QWEN3_8B, card(48, bf16=False), load)
