"""Machines without a card: rows of the stand-in cloud's catalogue, and who finds room on them.

The form is RunPod's OpenAPI document's (2026-08-18, `CpuType`, `CreateCpuConfig`); prices and stock are this
stand-in's own.
"""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from podtune.testing.gpus import CENTERS, LEVELS
from podtune.testing.http import refuse


class CpuRow(NamedTuple):
    """A flavour as the catalogue has it."""

    id: str
    name: str
    group: str
    least: int
    """Virtual cores of the smallest machine."""
    most: int
    ram_gb: float
    """GB of memory for each virtual core."""
    secure: str
    """USD per virtual core and hour."""
    stock: Mapping[str, str]
    """Availability by data centre; one that is not named has none of them at all."""


CPUS: Final = (
    CpuRow("cpu3c", "Compute-Optimized", "Gen 3", 2, 32, 2.0, "0.03",
           {"EU-RO-1": "HIGH", "US-KS-2": "MEDIUM"}),
    CpuRow("cpu5c", "Compute-Optimized", "Gen 5", 2, 32, 2.0, "0.035",
           {"EU-RO-1": "HIGH", "US-TX-3": "LOW"}),
)  # fmt: skip


def told(row: CpuRow, products: Collection[str]) -> dict[str, object]:
    """A flavour as the interface tells it, with its stock where that is asked for."""
    names = {center.id: center.name for center in CENTERS}
    said: dict[str, object] = {
        "id": row.id,
        "name": row.name,
        "group": row.group,
        "vcpu": {"min": row.least, "max": row.most},
        "ramGbPerVcpu": row.ram_gb,
        "price": {"securePerVcpu": Decimal(row.secure), "serverlessPerVcpu": Decimal(row.secure)},
    }
    if not products:
        return said
    levels = [LEVELS.index(level) for level in row.stock.values()]
    centers = [
        {"id": center, "name": names[center], "availability": level}
        for center, level in row.stock.items()
    ]
    return said | {"availability": LEVELS[max(levels, default=0)], "dataCenters": centers}


def check(row: CpuRow | None, flavour: str, vcpus: int) -> CpuRow:
    """A flavour that has machines of that size.

    Raises:
        Refused: 400, there is none.
    """
    if row is None:
        raise refuse(400, f"cpu type {flavour!r} not found")
    if vcpus & (vcpus - 1) or not row.least <= vcpus <= row.most:
        raise refuse(400, f"vcpuCount of {row.id} is a power of two from {row.least} to {row.most}")
    return row


def center_of(row: CpuRow, centers: Sequence[str]) -> str | None:
    """The data centre with most of a flavour, of those that are asked for; None where none is free."""
    free = [
        (LEVELS.index(level), center)
        for center, level in row.stock.items()
        if level != "NONE" and (not centers or center in centers)
    ]
    return max(free)[1] if free else None
