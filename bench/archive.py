"""A 200 MB adapter as one `.tar.gz`: CPU seconds, size and memory, against Python's own gzip.

The adapter is as LoRA leaves it: A random, B small and random. Each way packs the same folder in a
process of its own. Goal: 3 CPU seconds at flat memory.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import measure

SIZE = 200_000_000
WAYS = ("podtune", "tarfile w:gz", "tarfile w:gz, level 1")


def make(folder: Path, precision: str) -> None:
    """Half A (uniform, as peft draws it for 4,096 inputs), half B (small), in 4 or 2 bytes each."""
    import numpy

    drawn = numpy.random.default_rng(7)
    width = {"fp32": 4, "bf16": 2}[precision]
    half = SIZE // width // 2
    bound = 4096**-0.5
    folder.mkdir(parents=True)
    with (folder / "adapter_model.safetensors").open("wb") as stream:
        for weights in (drawn.uniform(-bound, bound, half), drawn.normal(0, 1e-3, half)):
            bits = weights.astype("<f4").view("<u4")
            stream.write((bits if width == 4 else (bits >> 16).astype("<u2")).tobytes())
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 16}\n')


def one(way: str, folder: Path, target: Path) -> dict[str, float]:
    """Pack in this process; memory is what the packing itself takes on top."""
    from podtune.storage import archive

    before = peak()
    begun = time.process_time()
    if way == "podtune":
        archive.pack(folder, target)
    else:
        level = 1 if way.endswith("level 1") else 9
        with tarfile.open(target, "w:gz", compresslevel=level) as tar:
            tar.add(folder, arcname=".")
    seconds = time.process_time() - begun
    size = sum(p.stat().st_size for p in folder.iterdir())
    return {
        "cpu_s": round(seconds, 2),
        "ratio": round(target.stat().st_size / size, 3),
        "memory_mib": round((peak() - before) / 2**20, 1),
    }


def peak() -> int:
    """Most bytes resident so far. The kernel's ru_maxrss would begin at the parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def back(packed: Path, target: Path) -> dict[str, float]:
    """Unpack and check in this process."""
    from podtune.storage import archive

    before = peak()
    begun = time.process_time()
    archive.unpack(packed, target)
    seconds = time.process_time() - begun
    return {"cpu_s": round(seconds, 2), "memory_mib": round((peak() - before) / 2**20, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", nargs=3, help="way, folder or archive, target")
    case = parser.parse_args().case
    if case:
        way, source, target = case[0], Path(case[1]), Path(case[2])
        figures = back(source, target) if way == "unpack" else one(way, source, target)
        print(json.dumps(figures))
        return
    rows = {}
    with tempfile.TemporaryDirectory() as place:
        for precision in ("fp32", "bf16"):
            folder = Path(place) / precision
            make(folder, precision)
            for number, way in enumerate(WAYS):
                rows[f"{precision}, {way}"] = child(way, folder, Path(place) / f"{number}.tar.gz")
            ours = Path(place) / "0.tar.gz"
            rows[f"{precision}, podtune, unpacking"] = child("unpack", ours, Path(place) / "back")
            shutil.rmtree(Path(place) / "back")
            for path in Path(place).glob("*.tar.gz"):
                path.unlink()
    measure.write("archive", {"bytes": SIZE, **rows})


def child(way: str, source: Path, target: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--case", way, str(source), str(target)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
