"""Default targets of mixtures, and what LoRA on experts counts."""

import pytest

from podtune.planning import adapter_targets

EXPERT_NAMES = {"gate_proj", "up_proj", "down_proj", "gate_up_proj", "all-linear", "w1", "w2", "w3"}


@pytest.mark.parametrize("family", adapter_targets.MIXTURE_TARGETS)
def test_no_default_reaches_the_experts(family):
    targets = adapter_targets.default_targets(family)
    assert targets
    assert not EXPERT_NAMES & set(targets)
    assert len(set(targets)) == len(targets)


def test_a_dense_model_has_no_table():
    assert adapter_targets.default_targets("llama") is None


def test_experts_by_hand():
    """Two experts of one layer, hidden 8, width 3, rank 2: gate-up 2x(8+6), down 2x(3+8) each."""
    counted = adapter_targets.expert_adapter_parameters(
        experts=2, hidden=8, intermediate=3, layers=1, rank=2
    )
    assert counted == 2 * (2 * (8 + 6) + 2 * (3 + 8))
