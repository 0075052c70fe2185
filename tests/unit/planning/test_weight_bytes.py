"""Bytes of weights by bits, against figures worked out by hand."""

import pytest

from podtune.planning import weight_bytes


def test_nf4_with_double_quantisation_is_half_a_byte_and_a_little():
    one_block = 32 + 1 + 4 + weight_bytes.NF4_TABLES_BYTES
    assert weight_bytes.nf4_bytes(64) == one_block
    assert weight_bytes.nf4_bytes(10**12) / 10**12 == pytest.approx(0.5 + 1 / 64 + 4 / (64 * 256))


def test_an_80b_mixture_is_42_gb():
    """79.674 B parameters, of which embeddings, head and the rest (0.674 B) stay in bf16."""
    quantised = 77_309_411_328 + 1_691_000_000
    total = weight_bytes.nf4_bytes(quantised) + weight_bytes.stored_bytes(674_000_000, "bf16")
    assert total / 1e9 == pytest.approx(42.1, abs=0.1)


def test_int8_has_a_scale_per_row():
    assert weight_bytes.int8_bytes(1024 * 512, rows=1024) == 1024 * 512 + 4 * 1024


@pytest.mark.parametrize(("precision", "width"), [("fp32", 4), ("bf16", 2), ("fp16", 2)])
def test_other_bits_are_the_precision(precision, width):
    assert weight_bytes.quantised_bytes(1000, 16, precision) == 1000 * width
    assert weight_bytes.quantised_bytes(1000, 32, precision) == 1000 * width


def test_bits_choose_the_formula():
    assert weight_bytes.quantised_bytes(6400, 4, "bf16", tensors=3) == weight_bytes.nf4_bytes(
        6400, 3
    )
    assert weight_bytes.quantised_bytes(6400, 8, "bf16", rows=64) == 6400 + 256
