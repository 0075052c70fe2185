"""Every held-out row counts once, however many processes share them."""

import torch
from hypothesis import given
from hypothesis import strategies as st

import evaluation


@given(st.integers(1, 40), st.integers(1, 9))
def test_each_row_counts_once_and_all_do_the_same_number_of_forwards(count, world):
    shares = [evaluation.deal(count, rank, world) for rank in range(world)]
    assert len({len(share) for share in shares}) == 1
    counted = sorted(index for share in shares for index, counts in share if counts)
    assert counted == list(range(count))


def test_sums_are_exact_and_keep_no_gradient():
    weight = torch.ones((), requires_grad=True)
    seen = []

    def measure(row):
        value = weight * row
        seen.append(value.requires_grad)
        return torch.stack([value, torch.ones(())])

    assert evaluation.sums([1e8, 1.0, -1e8], measure) == (1.0, 3.0)  # fp32 would say 0
    assert seen == [False] * 3


def test_values_of_rows_are_collected_in_order():
    told = []
    found = evaluation.collect([3, 1, 2], lambda row: row * 10, lambda *d: told.append(d))
    assert found == [30, 10, 20]
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_model_is_at_rest_and_then_as_before():
    model = torch.nn.Dropout()
    with evaluation.at_rest(model):
        assert not model.training
    assert model.training
