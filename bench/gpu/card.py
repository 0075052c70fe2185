"""What the GPU benchmarks share: the device in words, its clock and memory, the results file.

Runs on a CPU as well (`--device cpu`), where memory is the resident set: to see that every way
works, not to compare figures.
"""

import json
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "bench" / "results" / "gpu"
PATHS = [str(ROOT / "src"), str(ROOT / "runpod-worker"), str(ROOT / "bench")]
sys.path[1:1] = PATHS

DATA_SHEET_TFLOPS = {
    "H200": 989, "H100 PCIe": 756, "H100": 989, "A100": 312, "L40S": 362, "L4": 121, "A10": 125,
    "RTX A6000": 155, "RTX A5000": 111, "RTX 4090": 165, "RTX 3090": 71,
}  # fmt: skip
"""Dense bf16 with fp32 sums, as the makers' data sheets say; the first name that fits counts."""


def describe(device: str) -> dict[str, object]:
    """The device, its libraries and kernels; no name of a machine."""
    import torch

    import fast_kernels

    told = {"device": device, "torch": torch.__version__, "kernels": fast_kernels.detect()}
    if device != "cuda":
        import measure

        return told | measure.machine()
    card = torch.cuda.get_device_properties(0)
    return told | {
        "card": card.name,
        "memory_gib": round(card.total_memory / 2**30, 1),
        "capability": f"{card.major}.{card.minor}",
        "cuda": torch.version.cuda,
    }


def data_sheet_flops(device: str) -> float | None:
    """What the maker promises for bf16, in operations a second; None where the table has none."""
    import torch

    if device != "cuda":
        return None
    name = torch.cuda.get_device_name(0)
    return next((t * 1e12 for known, t in DATA_SHEET_TFLOPS.items() if known in name), None)


def reachable_flops(device: str) -> float:
    """Operations a second of one large product of matrices: what no training can exceed."""
    import torch

    side, dtype = (8192, torch.bfloat16) if device == "cuda" else (1024, torch.float32)
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    runs = []
    for _ in range(8):
        wait(device)
        begun = time.perf_counter()
        left @ right
        wait(device)
        runs.append(time.perf_counter() - begun)
    return 2 * side**3 / statistics.median(runs[2:])


def wait(device: str) -> None:
    """Until the device has done what it was given."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


def memory(device: str) -> dict[str, int]:
    """Peak bytes: what the allocator took from the card (CPU: resident), and what was in use."""
    if device == "cuda":
        import torch

        taken, used = torch.cuda.max_memory_reserved(), torch.cuda.max_memory_allocated()
        free, total = torch.cuda.mem_get_info()
        context = total - free - torch.cuda.memory_reserved()
        return {"taken": taken, "used": used, "context": context}
    status = Path("/proc/self/status").read_text(encoding="ascii")
    taken = int(status.partition("VmHWM:")[2].split()[0]) * 1024
    return {"taken": taken, "used": taken, "context": 0}


def write(name: str, device: str, figures: object, output: Path | None) -> None:
    """Print the figures and keep them, with date and device."""
    result = {
        "benchmark": f"gpu/{name}",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "device": describe(device),
        "figures": figures,
    }
    text = json.dumps(result, indent=1)
    path = output or RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
    print(text)
