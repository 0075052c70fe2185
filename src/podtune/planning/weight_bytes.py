"""How many bytes the weights of a base model take, by bits."""

from typing import Final

WIDTHS: Final = {"fp32": 4, "bf16": 2, "fp16": 2}
"""Bytes of one number in each `training.precision`."""

NF4_BLOCK: Final = 64
"""Weights that share one scale. Source: Dettmers et al. 2023, arXiv 2305.14314, section 3."""

NF4_NESTED_BLOCK: Final = 256
"""Scales that share one scale of their own in double quantisation (the same)."""

NF4_TABLES_BYTES: Final = 16 * 4 + 256 * 4 + 4
"""Per tensor, in fp32: the code of 4 bits, the code the scales are quantised with, and their mean
(bitsandbytes 0.50 keeps a copy with each tensor)."""

INT8_SCALE_BYTES: Final = 4
"""One fp32 scale per output row. Source: Dettmers et al. 2022, arXiv 2208.07339, section 2.1."""


def stored_bytes(parameters: int, precision: str) -> int:
    """Bytes of weights held in the precision itself."""
    return parameters * WIDTHS[precision]


def nf4_bytes(parameters: int, tensors: int = 1) -> int:
    """Bytes of weights in nf4 with double quantisation: about 0.516 per parameter.

    Half a byte a weight, one byte a block of 64 for its scale, four bytes a block of 256 scales.

    Args:
        parameters: Weights of all tensors.
        tensors: Into how many tensors they are divided.

    >>> nf4_bytes(1_000_000_000) / 1e9
    0.515870236
    """
    scales = -(-parameters // NF4_BLOCK)
    nested = -(-scales // NF4_NESTED_BLOCK) * 4
    return -(-parameters // 2) + scales + nested + NF4_TABLES_BYTES * tensors


def int8_bytes(parameters: int, rows: int) -> int:
    """Bytes of weights in int8: one each, and a scale per output row.

    Args:
        parameters: Weights of all tensors.
        rows: Output rows of all tensors.
    """
    return parameters + INT8_SCALE_BYTES * rows


def quantised_bytes(
    parameters: int, bits: int, precision: str, *, tensors: int = 1, rows: int = 0
) -> int:
    """Bytes of weights that quantisation applies to; 16 and 32 bits are the precision itself.

    Args:
        parameters: Weights of all tensors.
        bits: `adapter.bits`.
        precision: `training.precision`.
        tensors: Into how many tensors the weights are divided.
        rows: Output rows of all tensors; matters for 8 bit.
    """
    if bits == 4:
        return nf4_bytes(parameters, tensors)
    if bits == 8:
        return int8_bytes(parameters, rows)
    return stored_bytes(parameters, precision)
