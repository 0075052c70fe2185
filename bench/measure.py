"""What every benchmark shares: the machine, and a results file with date and figures."""

import json
import platform
from datetime import UTC, datetime
from pathlib import Path

import psutil

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RESULTS = HERE / "results"


def machine() -> dict[str, object]:
    """The machine in a few words, without its name."""
    flags = ""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        text = info.read_text(encoding="ascii", errors="replace")
        known = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
        flags = " ".join(flag for flag in known if flag in text)
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "cores": psutil.cpu_count(logical=False),
        "memory_gib": round(psutil.virtual_memory().total / 1024**3, 1),
        "flags": flags,
        "python": platform.python_version(),
    }


def write(name: str, figures: object) -> None:
    """Print figures and keep them in `bench/results/<name>.json`."""
    RESULTS.mkdir(exist_ok=True)
    result = {
        "benchmark": name,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine(),
        "figures": figures,
    }
    text = json.dumps(result, indent=1)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    print(text)
