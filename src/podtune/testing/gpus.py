"""Rows of the stand-in cloud's catalogue: GPU types and data centres.

The rows are made up after real ones and are no price list: stock and CUDA versions are this stand-in's
own. One row is the machine it runs on (`Stand-in CPU`), so that a job can really train here.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

import psutil

CPU_ID: Final = "Stand-in CPU"
"""GPU id of this very machine; `planning.cards` knows it as a device of kind `cpu`."""
POOL: Final = "STAND_IN"
"""Its pool for serverless endpoints."""
CUDA: Final = ("12.4", "12.6", "12.8", "12.9", "13.0")
"""Versions of hosts, oldest first."""
LEVELS: Final = ("NONE", "LOW", "MEDIUM", "HIGH")


class GpuRow(NamedTuple):
    """A GPU type as the catalogue has it."""

    id: str
    name: str
    pool: str | None
    memory_gb: int
    secure: str
    """USD per GPU and hour; empty where that cloud has none."""
    community: str
    serverless: str
    max_count: int
    stock: Mapping[str, str]
    """Availability by data centre; one that is not named has none of them at all."""
    cuda: tuple[str, ...] = CUDA
    manufacturer: str = "NVIDIA"

    def usd(self, cloud: str) -> Decimal | None:
        """Price of one card in a cloud, None where it is not offered there."""
        text = self.secure if cloud == "SECURE" else self.community
        return Decimal(text) if text else None


class CenterRow(NamedTuple):
    """A data centre."""

    id: str
    name: str
    region: str
    country: str
    has_global_network: bool
    volume_types: tuple[str, ...]
    compliance: tuple[str, ...]


CENTERS: Final = (
    CenterRow("US-KS-2", "US Kansas 2", "NORTH_AMERICA", "US", True,
              ("STANDARD", "HIGH_PERFORMANCE"), ("SOC_2_TYPE_2", "HIPAA")),
    CenterRow("US-TX-3", "US Texas 3", "NORTH_AMERICA", "US", True, ("STANDARD",), ("SOC_2_TYPE_2",)),
    CenterRow("EU-RO-1", "EU Romania 1", "EUROPE", "RO", True, ("STANDARD",), ("GDPR",)),
    CenterRow("EUR-IS-1", "EUR Iceland 1", "EUROPE", "IS", False, ("STANDARD",), ("GDPR",)),
    CenterRow("CA-MTL-1", "CA Montreal 1", "NORTH_AMERICA", "CA", False, (), ("SOC_2_TYPE_2",)),
)  # fmt: skip
"""Ids and regions: runpod-enums.json (docs of 2026-08-20). The rest is this stand-in's own."""

GPUS: Final = (
    GpuRow("NVIDIA RTX A4000", "RTX A4000", "AMPERE_16", 16, "0.25", "0.17", "0.58", 8,
           {"EU-RO-1": "MEDIUM"}),
    GpuRow("NVIDIA RTX A5000", "RTX A5000", "AMPERE_24", 24, "0.26", "0.16", "0.69", 8,
           {"EU-RO-1": "HIGH", "US-KS-2": "LOW"}),
    GpuRow("NVIDIA L4", "L4", "ADA_24", 24, "0.43", "", "0.69", 8, {"EU-RO-1": "HIGH"}),
    GpuRow("NVIDIA GeForce RTX 4090", "RTX 4090", "ADA_24", 24, "0.69", "0.34", "1.12", 8,
           {"US-KS-2": "HIGH", "EU-RO-1": "MEDIUM", "EUR-IS-1": "LOW"}),
    GpuRow("NVIDIA GeForce RTX 5090", "RTX 5090", "ADA_32_PRO", 32, "0.89", "0.69", "1.58", 8,
           {"US-TX-3": "LOW"}, ("12.8", "12.9", "13.0")),
    GpuRow("NVIDIA A40", "A40", "AMPERE_48", 48, "0.40", "", "1.22", 10,
           {"CA-MTL-1": "HIGH", "US-KS-2": "MEDIUM"}),
    GpuRow("NVIDIA RTX A6000", "RTX A6000", "AMPERE_48", 48, "0.49", "0.33", "1.22", 8,
           {"US-KS-2": "MEDIUM", "EUR-IS-1": "LOW"}),
    GpuRow("NVIDIA L40S", "L40S", "ADA_48_PRO", 48, "0.86", "0.79", "1.90", 8,
           {"US-KS-2": "HIGH", "US-TX-3": "LOW"}),
    GpuRow("NVIDIA A100 80GB PCIe", "A100 PCIe", "AMPERE_80", 80, "1.64", "1.19", "2.72", 8,
           {"US-KS-2": "MEDIUM", "CA-MTL-1": "LOW"}),
    GpuRow("NVIDIA A100-SXM4-80GB", "A100 SXM", "AMPERE_80", 80, "1.89", "", "2.72", 8,
           {"US-TX-3": "HIGH"}),
    GpuRow("NVIDIA H100 PCIe", "H100 PCIe", None, 80, "2.39", "1.99", "", 8, {"US-KS-2": "LOW"}),
    GpuRow("NVIDIA H100 80GB HBM3", "H100 SXM", "ADA_80_PRO", 80, "2.99", "2.69", "4.18", 8,
           {"US-TX-3": "HIGH", "EUR-IS-1": "MEDIUM"}),
    GpuRow("NVIDIA H200", "H200 SXM", "HOPPER_141", 141, "3.99", "3.59", "5.58", 8,
           {"US-KS-2": "LOW"}),
    GpuRow("NVIDIA B200", "B200", "BLACKWELL_180", 180, "5.98", "", "8.64", 8, {},
           ("12.8", "12.9", "13.0")),
    GpuRow("AMD Instinct MI300X OAM", "MI300X", None, 192, "2.49", "", "", 8,
           {"EU-RO-1": "MEDIUM"}, (), "AMD"),
)  # fmt: skip
"""Ids, names, memory and pools: runpod-enums.json (docs of 2026-08-20). Prices: runpod.md 7 (an undated
table of a third party; RTX 4090 seen live 2026-07-10; A4000, B200, MI300X made up). `NVIDIA B200` has
no stock anywhere, so that there is one type that cannot be had."""


def own_machine() -> GpuRow:
    """The row of this machine, which trains on its CPU at 0.01 $/h, serverless at 0.02 $/h."""
    memory_gb = max(1, psutil.virtual_memory().total // 2**30)
    stock = {center.id: "HIGH" for center in CENTERS}
    return GpuRow(CPU_ID, "CPU of this machine", POOL, memory_gb, "0.01", "", "0.02", 1, stock, CUDA, "UNKNOWN")  # fmt: skip
