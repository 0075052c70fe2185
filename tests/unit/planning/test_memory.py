"""Adapter parameters by hand, and the memory estimate as the sum of its parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import SpecError
from podtune.planning import memory, model_facts
from podtune.planning.model_facts import LinearShape, Sizes
from podtune.storage.base_models import PACKAGE_CONFIG

SMOLLM2 = Sizes(hidden=576, layers=30, attention=576, kv=192, intermediate=1536)
SHAPES = model_facts.linear_shapes(SMOLLM2)


def smollm2_facts(**changes):
    config = {**PACKAGE_CONFIG, **changes}
    return model_facts.facts_from_config(
        config, name="m", revision=None, source="path", location=None
    )


def estimate(facts=None, **changes):
    given = {
        "rank": 16,
        "targets": "all-linear",
        "tokens_per_pass": 512,
        "trained_per_pass": 200,
        "precision": "fp32",
        "device_kind": "cpu",
    }
    return memory.estimate(facts or smollm2_facts(), **(given | changes))


def test_one_layer_by_hand():
    shape = LinearShape("q_proj", 10, 6, 3)
    assert memory.adapter_parameters([shape], 2, "all-linear") == 2 * (10 + 6) * 3


def test_smollm2_at_rank_16_is_exact():
    assert memory.adapter_parameters(SHAPES, 16, "all-linear") == 4_884_480


def test_only_named_targets_count():
    assert memory.adapter_parameters(SHAPES, 8, ["q_proj", "v_proj"]) == 8 * 30 * (
        (576 + 576) + (576 + 192)
    )


def test_a_target_named_twice_counts_once():
    once = memory.adapter_parameters(SHAPES, 8, ["q_proj"])
    assert memory.adapter_parameters(SHAPES, 8, ["q_proj", "q_proj"]) == once


def test_unknown_targets_are_named_with_the_choice():
    with pytest.raises(SpecError, match=r"lm_head, wte") as caught:
        memory.adapter_parameters(SHAPES, 8, ["q_proj", "wte", "lm_head"])
    assert "gate_proj" in str(caught.value.hint)


def test_no_target_at_all_is_refused():
    with pytest.raises(SpecError):
        memory.adapter_parameters(SHAPES, 8, ())


def test_the_rank_may_equal_the_smallest_side():
    assert memory.adapter_parameters(SHAPES, 192, "all-linear") == 192 * 4_884_480 // 16


def test_a_rank_over_the_smallest_side_is_refused():
    with pytest.raises(SpecError, match=r"193.*192"):
        memory.adapter_parameters(SHAPES, 193, "all-linear")


def test_the_smallest_side_is_that_of_the_adapted_layers_only():
    assert memory.adapter_parameters(SHAPES, 193, ["q_proj"]) == 193 * 30 * (576 + 576)


def test_the_total_is_the_sum_of_the_parts():
    found = estimate()
    assert found.total == sum(found.parts().values())


def test_the_parts_by_hand():
    found = estimate()
    assert found.adapter_parameters == 4_884_480
    assert found.weights == 134_515_008 * 4
    assert found.adapter == 4_884_480 * 16
    per_token_layer = 7 * 576 + 3 * 192 + 4 * 1536 + 7 * 16 + 12
    factor = memory.ALLOCATOR["cpu"]
    assert found.activations == int(512 * 30 * per_token_layer * 4 * factor)
    assert found.logits == int(200 * 49152 * 10 * factor)


def test_bf16_halves_weights_and_activations_and_nothing_else():
    full, half = estimate(), estimate(precision="bf16")
    assert half.weights * 2 == full.weights
    assert half.activations * 2 == pytest.approx(full.activations, abs=2)
    assert (half.adapter, half.logits) == (full.adapter, full.logits)


@given(st.integers(1, 4096), st.integers(1, 4096))
def test_longer_rows_never_need_less(left, right):
    small, large = sorted((left, right))
    assert estimate(tokens_per_pass=small).total <= estimate(tokens_per_pass=large).total


@given(st.integers(1, 192), st.integers(1, 192))
def test_a_higher_rank_needs_more(left, right):
    small, large = sorted((left, right))
    one, other = estimate(rank=small), estimate(rank=large)
    assert one.total < other.total if small < large else one == other


@given(st.integers(0, 512), st.integers(0, 512))
def test_more_trained_positions_never_need_less(left, right):
    small, large = sorted((left, right))
    assert estimate(trained_per_pass=small).total <= estimate(trained_per_pass=large).total


@pytest.mark.parametrize("kind", sorted(memory.LIBRARIES_BYTES))
def test_every_kind_of_device_has_its_libraries_share(kind):
    assert estimate(device_kind=kind).overhead == memory.LIBRARIES_BYTES[kind]
