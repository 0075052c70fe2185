import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.data.packing import best_fit_decreasing, singles

CAPACITY = 64
documents = st.lists(st.integers(1, CAPACITY), max_size=60)


def load(row, lengths):
    return sum(lengths[index] for index in row)


@given(documents)
def test_each_document_is_packed_once(lengths):
    rows = best_fit_decreasing(lengths, CAPACITY)
    assert sorted(itertools.chain.from_iterable(rows)) == list(range(len(lengths)))
    assert all(rows)


@given(documents)
def test_no_row_is_overfull(lengths):
    rows = best_fit_decreasing(lengths, CAPACITY)
    assert all(load(row, lengths) <= CAPACITY for row in rows)


@given(documents)
def test_no_two_rows_would_fit_in_one(lengths):
    loads = [load(row, lengths) for row in best_fit_decreasing(lengths, CAPACITY)]
    assert all(a + b > CAPACITY for a, b in itertools.combinations(loads, 2))
    # so fewer than twice as many rows as their tokens fill
    assert len(loads) <= max(1, 2 * math.ceil(sum(lengths) / CAPACITY))


@given(st.lists(st.integers(1, 24), max_size=7))
def test_at_most_11_9_of_the_best_there_is(lengths):
    rows = best_fit_decreasing(lengths, 24)
    assert len(rows) <= 11 / 9 * fewest_rows(lengths, 24) + 1


def fewest_rows(lengths, capacity):
    """The optimum by trying every row for every document."""
    best = len(lengths)

    def place(index, loads):
        nonlocal best
        if len(loads) >= best:
            return
        if index == len(lengths):
            best = len(loads)
            return
        for at in range(len(loads)):
            if loads[at] + lengths[index] <= capacity:
                place(index + 1, [*loads[:at], loads[at] + lengths[index], *loads[at + 1 :]])
        place(index + 1, [*loads, lengths[index]])

    place(0, [])
    return best


@given(documents)
def test_the_same_lengths_give_the_same_rows(lengths):
    assert best_fit_decreasing(lengths, CAPACITY) == best_fit_decreasing(tuple(lengths), CAPACITY)


@given(documents, st.randoms(use_true_random=False))
def test_the_order_of_the_documents_does_not_change_how_full_the_rows_are(lengths, random):
    shuffled = list(lengths)
    random.shuffle(shuffled)
    loads = [
        sorted(load(row, part) for row in best_fit_decreasing(part, CAPACITY))
        for part in (lengths, shuffled)
    ]
    assert loads[0] == loads[1]


@pytest.mark.parametrize(
    ("lengths", "capacity", "rows"),
    [
        ([], 10, []),
        ([10], 10, [[0]]),
        ([1, 1, 1], 3, [[0, 1, 2]]),
        ([3, 7, 5, 5], 10, [[1, 0], [2, 3]]),
        ([6, 5, 4, 3], 10, [[0, 2], [1, 3]]),
        # 3 goes to the fuller row (7 of 10), not to the first one (6 of 10)
        ([6, 7, 3], 10, [[1, 2], [0]]),
        ([5, 5, 5, 5], 10, [[0, 1], [2, 3]]),
    ],
)
def test_longest_first_into_the_fullest_row_that_takes_it(lengths, capacity, rows):
    assert best_fit_decreasing(lengths, capacity) == rows


def test_a_document_longer_than_a_row_is_refused():
    with pytest.raises(ValueError, match="document 1 has 11 tokens, a row 10"):
        best_fit_decreasing([3, 11, 4], 10)


def test_many_documents_leave_little_room():
    lengths = [1 + (i * 7919) % 300 for i in range(20_000)]
    rows = best_fit_decreasing(lengths, 1024)
    assert sum(lengths) / (len(rows) * 1024) > 0.99


@given(documents)
def test_singles_are_one_document_a_row_in_order(lengths):
    assert singles(lengths) == [[index] for index in range(len(lengths))]
