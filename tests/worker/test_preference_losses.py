"""The losses by hand, at their limits, and in the direction they must push."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import preference_losses as losses


def test_dpo_of_an_untrained_model_is_log_two():
    same = torch.tensor([-3.0, -70.0])
    assert losses.dpo(same, same - 1, same, same - 1, 0.1).tolist() == pytest.approx(
        [math.log(2)] * 2
    )


def test_dpo_by_hand():
    found = losses.dpo(*torch.tensor([[-2.0], [-5.0], [-3.0], [-4.0]]), beta=0.5)
    margin = 0.5 * ((-2 + 5) - (-3 + 4))
    assert found.item() == pytest.approx(-math.log(1 / (1 + math.exp(-margin))))


@given(st.floats(-50, -1e-6), st.floats(-50, -1e-6))
def test_orpo_by_hand(chosen, rejected):
    found = losses.orpo(*torch.tensor([[chosen], [rejected]], dtype=torch.float64))

    def log_odds(log_prob):
        return log_prob - math.log(-math.expm1(log_prob))

    expected = math.log1p(math.exp(-(log_odds(chosen) - log_odds(rejected))))
    assert found.item() == pytest.approx(expected, rel=1e-6, abs=1e-9)


@given(st.floats(-80, -1e-7))
def test_log_one_minus_exp_keeps_its_digits(value):
    tensor = torch.tensor(value, dtype=torch.float64, requires_grad=True)
    found = losses.log_one_minus_exp(tensor)
    found.backward()
    assert float(found.detach()) == pytest.approx(math.log(-math.expm1(value)), rel=1e-9)
    assert math.isfinite(tensor.grad)


def test_kto_by_hand():
    ratios, good = torch.tensor([2.0, 2.0]), torch.tensor([True, False])
    found = losses.kto(ratios, good, 0.5, 0.1, losses.Weights(1.0, 3.0))
    value = 1 / (1 + math.exp(-0.1 * 1.5))
    assert found.tolist() == pytest.approx([1 - value, 3 * value])


def test_kto_pushes_good_answers_up_and_bad_ones_down():
    ratios = torch.zeros(2, requires_grad=True)
    losses.kto(ratios, torch.tensor([True, False]), 0.0, 0.1).sum().backward()
    assert ratios.grad[0] < 0 < ratios.grad[1]


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_both_kinds_of_answers_weigh_the_same_in_all(good, bad):
    weights = losses.kto_weights(good, bad)
    assert min(weights) == 1.0
    if good and bad:
        assert weights.good * good == pytest.approx(weights.bad * bad)
