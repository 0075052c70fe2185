"""What loading a mixture of experts in 4 bit takes: our streaming loader against the usual ways.

Writes a Qwen3-Next-shaped bf16 checkpoint (one tensor per expert, shards of 250 MB) into a
temporary folder and loads it in fresh processes: by `base_model.load(bits=4)`, by bitsandbytes'
4 bit alone (which leaves the experts in 16 bit), and in bf16. Anonymous memory is what a machine
must have; pages of the mapped files can be dropped at any time. Linux only (/proc).
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import measure

sys.path[:0] = [str(measure.ROOT / "runpod-worker"), str(measure.ROOT / "src")]

SHARD_BYTES = 250_000_000
MB = 1_000_000
WAYS = ("stream", "bitsandbytes", "bf16")
SAMPLE_S = 0.002


def configuration(layers: int, experts: int) -> Any:
    """Qwen3-Next-80B-A3B's widths with fewer layers, experts and words."""
    from transformers import Qwen3NextConfig

    return Qwen3NextConfig(num_hidden_layers=layers, num_experts=experts, vocab_size=4096)


def tensors(config: Any) -> Iterator[tuple[str, Any]]:
    """Name and random bf16 tensor of the checkpoint, experts one by one, as they are published."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    generator = torch.Generator().manual_seed(4)

    def draw(*shape: int) -> Any:
        numbers = torch.empty(shape, dtype=torch.bfloat16)
        return numbers.normal_(std=0.02, generator=generator)

    for name, parameter in model.named_parameters():
        if ".experts." not in name:
            yield name, draw(*parameter.shape)
            continue
        path, _, projection = name.rpartition(".")
        fused = projection == "gate_up_proj"
        rows = parameter.shape[1] // (2 if fused else 1)
        for expert in range(parameter.shape[0]):
            for part in ("gate_proj", "up_proj") if fused else ("down_proj",):
                yield f"{path}.{expert}.{part}.weight", draw(rows, parameter.shape[2])


def make(folder: Path, layers: int, experts: int) -> int:
    """Write the checkpoint; returns its bytes. Never more than one shard is in memory."""
    from safetensors.torch import save_file

    config = configuration(layers, experts)
    config.architectures = ["Qwen3NextForCausalLM"]
    config.save_pretrained(folder)
    shard: dict[str, Any] = {}
    held, number, total, places = 0, 0, 0, {}

    def close() -> None:
        nonlocal held, number
        number += 1
        file = f"model-{number:05}.safetensors"
        save_file(shard, folder / file, metadata={"format": "pt"})
        places.update(dict.fromkeys(shard, file))
        shard.clear()
        held = 0

    for name, tensor in tensors(config):
        size = tensor.numel() * tensor.element_size()
        if held + size > SHARD_BYTES:
            close()
        shard[name] = tensor
        held, total = held + size, total + size
    close()
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return total


class Sampler(threading.Thread):
    """Reads this process's anonymous memory every few milliseconds."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(SAMPLE_S):
            self.peak = max(self.peak, resident("RssAnon"))

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.join()
        self.peak = max(self.peak, resident("RssAnon"))

    def __enter__(self) -> "Sampler":
        self.start()
        return self


def resident(field: str) -> int:
    """A field of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"/proc/self/status has no {field}: this benchmark needs Linux")


def load(way: str, folder: Path) -> Any:
    """One way of loading."""
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    import base_model

    if way in ("stream", "bf16"):
        bits = 4 if way == "stream" else 16
        return base_model.load(folder, precision="bf16", device="cpu", bits=bits)
    return AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=torch.bfloat16,
        device_map={"": "cpu"},
        quantization_config=BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        ),
    )


def one(way: str, folder: Path, tiny: Path) -> dict[str, float]:
    """Load in this process and say what it took, above what the imports take."""
    import base_model
    import stored_bytes

    base_model.settle_threads(1)
    load(way, tiny)  # imports, and the libraries' own tables
    before, begun = resident("RssAnon"), time.process_time()
    with Sampler() as sampler:
        model = load(way, folder)
    cpu = time.process_time() - begun
    after = resident("RssAnon")
    return {
        "peak_anon_mb": round((sampler.peak - before) / MB),
        "after_anon_mb": round((after - before) / MB),
        "peak_minus_after_mb": round((sampler.peak - after) / MB),
        "mapped_files_mb": round(resident("RssFile") / MB),
        "weights_mb": round(stored_bytes.stored_bytes(model) / MB),
        "cpu_s": round(cpu, 1),
    }


def main() -> None:
    """All ways, or one in a child."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--experts", type=int, default=32)
    parser.add_argument("--child", nargs=3, metavar=("WAY", "FOLDER", "TINY"))
    arguments = parser.parse_args()
    if arguments.child:
        way, folder, tiny = arguments.child
        print(json.dumps(one(way, Path(folder), Path(tiny))))
        return
    with tempfile.TemporaryDirectory() as room:
        folder, tiny = Path(room) / "large", Path(room) / "tiny"
        size = make(folder, arguments.layers, arguments.experts)
        make(tiny, 4, 2)
        rows: dict[str, Any] = {
            "checkpoint_mb": round(size / MB),
            "layers": arguments.layers,
            "experts": arguments.experts,
        }
        for way in WAYS:
            child = [sys.executable, __file__, "--child", way, str(folder), str(tiny)]
            done = subprocess.run(child, capture_output=True, text=True, check=True)
            rows[way] = json.loads(done.stdout.splitlines()[-1])
    measure.write("moe_loading", rows)


if __name__ == "__main__":
    main()
