"""What this process took and what it was made of: peak memory, versions."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

LIBRARIES = (
    "torch",
    "transformers",
    "peft",
    "accelerate",
    "tokenizers",
    "safetensors",
    "bitsandbytes",
)


def peak_memory(kind: str) -> int | None:
    """Peak of this process (CPU: resident set; CUDA: allocator) in bytes; None where not counted."""
    if kind == "cuda":
        import torch

        return int(torch.cuda.max_memory_reserved())
    try:
        import resource
    except ImportError:  # native Windows has no such counter
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def versions() -> dict[str, str]:
    """Library -> version, of those that are installed."""
    import podtune

    found = {"podtune": podtune.__version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # bitsandbytes is not made for every platform
            continue
    return found
