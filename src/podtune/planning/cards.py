"""What is known of each card that can be rented: its speed, its real memory, whether it will do.

Ids change: a card that stands in no row is guessed from its name and memory, and marked so.
Knows nothing of prices.
"""

import re
from typing import Final, NamedTuple

from podtune.core.offer import Offer
from podtune.core.plan import Device
from podtune.core.units import GIB

STAND_IN_CPU: Final = "Stand-in CPU"
"""Id of the stand-in cloud's own offer, and the beginning of ids of others like it: a pod that trains
on the processor of this machine."""

POD_CORES: Final = 4
"""Processor cores of a pod that a training's threads may count on. Assumed: RunPod promises 2
virtual ones a card and mostly gives 6 to 16 (REST v1 `minVCPUPerGPU`, read 2026-11-22)."""

REAL_SHARE: Final = 0.93
"""Memory of a card over what its name says, where no row tells: the least of the rows below (A40,
L40 and L40S with error correction: 0.937), rounded down."""


class Architecture(NamedTuple):
    """A generation of cards."""

    name: str
    bf16: bool
    """Whether bf16 arithmetic is in the hardware: from Ampere on."""
    least_cuda: str
    """First CUDA release that compiles for it (NVIDIA's release notes)."""


TURING: Final = Architecture("Turing", bf16=False, least_cuda="10.0")
AMPERE: Final = Architecture("Ampere", bf16=True, least_cuda="11.1")
ADA: Final = Architecture("Ada", bf16=True, least_cuda="11.8")
HOPPER: Final = Architecture("Hopper", bf16=True, least_cuda="11.8")
BLACKWELL: Final = Architecture("Blackwell", bf16=True, least_cuda="12.8")


class Card(NamedTuple):
    """One kind of card."""

    architecture: Architecture
    tflops: float
    """10^12 operations a second: dense bf16 products with fp32 sums (fp16 where bf16 is missing)."""
    memory_mib: int | None
    """What nvidia-smi shows as total; None where nobody noted it."""
    source: str
    """Where the speed was read. All were written down on 2026-11-22 and none was measured by us;
    where a sheet gives figures with sparsity, the dense one is half."""
    is_assumed: bool = False


_TU: Final = "T4 data sheet, 2019"
_GA10: Final = "GA102 white paper 2.1, 2021, appendix A"
_PRO_GA: Final = "data sheet of the card, 2021-2022, half of its tensor figure"
_A100: Final = "A100 data sheet, 2021"
_AD10: Final = "Ada white paper 2.1, 2023, appendix A"
_PRO_AD: Final = "data sheet of the card, 2023, a quarter of its fp8 figure with sparsity"
_GH: Final = "H100 data sheet, 2023, half of its figure with sparsity"
_H200: Final = "H200 data sheet, 2024, half of its figure with sparsity"
_GB20: Final = "RTX Blackwell white paper 1.1, 2025, appendix A"
_PRO_GB: Final = "data sheet of the card, 2025, an eighth of its fp4 figure with sparsity"
_B200: Final = "HGX data sheet, 2025, an eighth of the board's, dense"
_MIG: Final = "its share of the whole card's row"

CARDS: Final[dict[str, Card]] = {
    "Tesla T4": Card(TURING, 65, 15_360, _TU),
    "NVIDIA GeForce RTX 3070": Card(AMPERE, 40.6, 8_192, _GA10),
    "NVIDIA GeForce RTX 3080": Card(AMPERE, 59.5, 10_240, _GA10),
    "NVIDIA GeForce RTX 3080 Ti": Card(AMPERE, 68.2, 12_288, _GA10),
    "NVIDIA GeForce RTX 3090": Card(AMPERE, 71.0, 24_576, _GA10),
    "NVIDIA GeForce RTX 3090 Ti": Card(AMPERE, 80.0, 24_564, _GA10),
    "NVIDIA RTX A2000": Card(AMPERE, 31.9, 6_138, _PRO_GA),
    "NVIDIA RTX A4000": Card(AMPERE, 76.7, 16_376, _PRO_GA),
    "NVIDIA RTX A4500": Card(AMPERE, 94.6, 20_470, _PRO_GA),
    "NVIDIA RTX A5000": Card(AMPERE, 111.1, 24_564, _PRO_GA),
    "NVIDIA RTX A6000": Card(AMPERE, 154.8, 49_140, _PRO_GA),
    "NVIDIA A30": Card(AMPERE, 165, 24_576, _PRO_GA),
    "NVIDIA A40": Card(AMPERE, 149.7, 46_068, _PRO_GA),
    "NVIDIA A100 80GB PCIe": Card(AMPERE, 312, 81_920, _A100),
    "NVIDIA A100-SXM4-80GB": Card(AMPERE, 312, 81_920, _A100),
    "NVIDIA GeForce RTX 4070 Ti": Card(ADA, 80.2, 12_282, _AD10),
    "NVIDIA GeForce RTX 4080": Card(ADA, 97.5, 16_376, _AD10),
    "NVIDIA GeForce RTX 4080 SUPER": Card(ADA, 104.4, 16_376, _AD10),
    "NVIDIA GeForce RTX 4090": Card(ADA, 165.2, 24_564, _AD10),
    "NVIDIA RTX 2000 Ada Generation": Card(ADA, 48.0, 16_380, _PRO_AD),
    "NVIDIA RTX 4000 Ada Generation": Card(ADA, 81.9, 20_475, _PRO_AD),
    "NVIDIA RTX 4000 SFF Ada Generation": Card(ADA, 76.7, 20_475, _PRO_AD),
    "NVIDIA RTX 5000 Ada Generation": Card(ADA, 261.1, 32_760, _PRO_AD),
    "NVIDIA RTX 6000 Ada Generation": Card(ADA, 364.2, 49_140, _PRO_AD),
    "NVIDIA L4": Card(ADA, 121, 23_034, _PRO_AD),
    "NVIDIA L40": Card(ADA, 181, 46_068, _PRO_AD),
    "NVIDIA L40S": Card(ADA, 362, 46_068, _PRO_AD),
    "NVIDIA H100 PCIe": Card(HOPPER, 756, 81_559, _GH),
    "NVIDIA H100 80GB HBM3": Card(HOPPER, 989, 81_559, _GH),
    "NVIDIA H100 NVL": Card(HOPPER, 835, 95_830, _GH),
    "NVIDIA H200": Card(HOPPER, 989, 143_771, _H200),
    "NVIDIA H200 NVL": Card(HOPPER, 835, 143_771, _H200),
    "NVIDIA GeForce RTX 5080": Card(BLACKWELL, 112.6, 16_303, _GB20),
    "NVIDIA GeForce RTX 5090": Card(BLACKWELL, 209.5, 32_607, _GB20),
    "NVIDIA RTX PRO 4500 Blackwell": Card(BLACKWELL, 210, None, _PRO_GB),
    "NVIDIA RTX PRO 6000 Blackwell Workstation Edition": Card(BLACKWELL, 503, 97_887, _PRO_GB),
    "NVIDIA RTX PRO 6000 Blackwell Server Edition": Card(BLACKWELL, 468, 97_887, _PRO_GB),
    "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition": Card(
        BLACKWELL, 439, 97_887, _PRO_GB
    ),
    "NVIDIA RTX PRO 6000 Blackwell Server Edition MIG 1g.24gb": Card(BLACKWELL, 117, None, _MIG),
    "NVIDIA RTX PRO 6000 Blackwell Server Edition MIG 2g.48gb": Card(BLACKWELL, 234, None, _MIG),
    "NVIDIA B200": Card(BLACKWELL, 2250, 183_359, _B200),
    "NVIDIA B300 SXM6 AC": Card(BLACKWELL, 2250, None, _B200),
}
"""Provider's id, which is also what nvidia-smi calls it -> the card."""

_FAMILIES: Final = (
    (BLACKWELL, r"blackwell|\bg?b[23]00|\brtx ?50\d\d"),
    (HOPPER, r"\bg?h(100|200|800|20)\b"),
    (ADA, r"\bada\b|\brtx ?40\d\d|\bl(4|20|40s?)\b"),
    (AMPERE, r"\brtx ?30\d\d|\ba(10|16|30|40|100|800|[2456][05]00)[a-z]?\b"),
    (TURING, r"\bt4\b|\brtx ?20\d\d|quadro rtx|\btitan rtx"),
)
"""Architecture by a pattern of names, the first that fits; for ids that stand in no row."""

_TOO_OLD: Final = re.compile(
    r"v100|\bp(4|40|100)\b|\bk80|\bm(40|60)\b|\bgtx|titan (v|xp?)\b|volta|pascal|maxwell", re.I
)
_NOT_CUDA: Final = re.compile(r"\bamd\b|instinct|radeon|\bmi\d{3}|\bintel\b|gaudi", re.I)

_GUESSED_TFLOPS: Final = ((20, 50), (30, 70), (60, 120), (100, 250), (1000, 600))
"""Memory in GiB up to which a card nobody knows is taken to be so fast: near the slowest row of
its size, so that a guess is dear rather than cheap."""


def is_stand_in(gpu: str) -> bool:
    """Whether an id means the processor of this machine."""
    return gpu.startswith(STAND_IN_CPU)


def refusal(gpu: str) -> str:
    """Why a card can never be used, by its id; empty where it can."""
    if _NOT_CUDA.search(gpu):
        return "no CUDA"
    if _TOO_OLD.search(gpu):
        return "older than Turing"
    return ""


def card(gpu: str, vram_gib: float) -> Card:
    """A card's row, or a guess from its name and memory."""
    known = CARDS.get(" ".join(gpu.split()))
    if known is not None:
        return known
    named = (kind for kind, names in _FAMILIES if re.search(names, gpu, re.I))
    tflops = next((t for most, t in _GUESSED_TFLOPS if vram_gib <= most), _GUESSED_TFLOPS[-1][1])
    return Card(next(named, AMPERE), tflops, None, "guessed from memory and name", is_assumed=True)


def device(offer: Offer, cpu: Device) -> Device:
    """The machine of an offer, as a plan computes with it.

    Args:
        offer: What would be rented.
        cpu: The processor of this machine, which is what the stand-in cloud's own offer means.
    """
    if is_stand_in(offer.gpu):
        memory = min(cpu.memory_bytes, int(offer.vram_gib * GIB))
        return cpu.model_copy(update={"memory_bytes": memory})
    found = card(offer.gpu, offer.vram_gib)
    nominal = offer.vram_gib * GIB
    real = found.memory_mib * 1024**2 if found.memory_mib else nominal * REAL_SHARE
    return Device(
        kind="cuda",
        name=offer.gpu,
        memory_bytes=int(min(nominal, real)),
        cores=POD_CORES * offer.count,
        bf16=found.architecture.bf16,
        count=offer.count,
    )


def version(cuda: str) -> tuple[int, ...]:
    """A CUDA version as numbers to compare: `12.8` -> (12, 8)."""
    return tuple(int(part) for part in re.findall(r"\d+", cuda)[:2])
