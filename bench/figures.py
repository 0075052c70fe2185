"""The figures of the benchmarks as one table: what, goal, ours, the peer's, the ratio.

Reads `bench/results/`, measures nothing. `make bench` prints it; `docs/reference/figures.md` and the
table of faults in the README are made of it.
"""

import itertools
import json
from pathlib import Path
from typing import Any, NamedTuple

RESULTS = Path(__file__).resolve().parent / "results"
UNMEASURED = "not measured yet"


class Row(NamedTuple):
    """One line of the table; figures as they are shown."""

    what: str
    goal: str
    ours: str
    peer: str
    ratio: str
    source: str
    """File under `bench/results/`, or what else shows it."""


def rows() -> list[Row]:
    """Every line, in the order of the design's table."""
    return [*training(), *preparing(), *memory(), *delivering(), *keeping(), *driving()]


def training() -> list[Row]:
    """Useful tokens per CPU second of one core; same model, data and steps in one run."""
    made = figures("training")
    speed, times = made["tokens_per_cpu_s"], made["ours, in multiples"]
    packings = {k: v for k, v in speed.items() if k.startswith("TRL packing")}
    best = max(packings, key=lambda name: packings[name])
    names = [
        ("of specification A", ">= 27x", "ours", "specification A (24 chats)"),
        ("of TRL's packing", ">= 2.1x", "ours", best),
        ("of TRL's DPO, batch 8", ">= 3.5x", "our DPO", "TRL DPO, batch 8"),
        ("of TRL's DPO, batch 1", "-", "our DPO", "TRL DPO, batch 1"),
        ("of a bare loop", ">= 0.95x", "ours", "bare loop"),
    ]
    return [
        Row(
            f"short chats, tokens per CPU second: multiple {name}",
            goal,
            f"{speed[own]:,.0f}",
            f"{speed[peer]:,.0f} ({peer})",
            f"{times[name]:.2f}x",
            "training",
        )
        for name, goal, own, peer in names
    ] + [
        Row(
            "packed loss and gradient against separate documents",
            "equal, 1e-5",
            "equal, 1e-5",
            "-",
            "-",
            "`tests/worker/test_document_attention.py`, 26 families",
        )
    ]


def preparing() -> list[Row]:
    """From a data file to rows."""
    made = figures("data")
    check = made["check_200_mb"]
    own = made["prepare_100k_chats"]["cpu_s"]
    return [
        Row(
            "100,000 chats tokenised, masked, packed: CPU seconds",
            ">= 2.5x TRL",
            f"{own:.1f}",
            f"{made['trl_cpu_s']:.1f} (TRL)",
            f"{made['trl_over_prepare']:.2f}x",
            "data",
        ),
        Row(
            "the same against the bare tokenizer",
            "<= 1.25x",
            f"{own:.1f}",
            f"{made['bare_tokenizer_cpu_s']:.1f}",
            f"{made['prepare_over_bare_tokenizer']:.2f}x",
            "data",
        ),
        Row(
            "200 MB of chats checked: CPU seconds, peak memory",
            "<= 12 s, <= 150 MB",
            f"{check['cpu_s']:.1f} s, {check['peak_rss_mb']} MB",
            "-",
            "-",
            "data",
        ),
    ]


def memory() -> list[Row]:
    """What a mixture of experts takes."""
    made = figures("moe_loading")
    stream, stock = made["stream"], made["bitsandbytes"]
    measured = RESULTS / "gpu" / "qwen3_next_80b.json"
    peak = UNMEASURED
    if measured.is_file():
        peak = f"{figures('gpu/qwen3_next_80b')['peak_memory_gib']:.1f} GiB"
    return [
        Row(
            f"{made['checkpoint_mb']:,} MB mixture loaded in 4 bits: peak over what is left",
            "0 MB",
            f"{stream['peak_minus_after_mb']} MB",
            f"{stock['peak_minus_after_mb']} MB (bitsandbytes)",
            "-",
            "moe_loading",
        ),
        Row(
            "what is left of it",
            "-",
            f"{stream['after_anon_mb']:,} MB",
            f"{stock['after_anon_mb']:,} MB (bitsandbytes)",
            f"{stock['after_anon_mb'] / stream['after_anon_mb']:.1f}x",
            "moe_loading",
        ),
        Row(
            "Qwen3-Next-80B-A3B, QLoRA on one card: peak",
            "< 50 GiB",
            peak,
            "-",
            "-",
            "gpu/qwen3_next_80b (planned under 50 GiB: `tests/unit/planning/test_fitting.py`)",
        ),
    ]


def delivering() -> list[Row]:
    """The adapter as an archive."""
    made = figures("archive")
    return [
        Row(
            f"200 MB adapter ({kind}) as .tar.gz: CPU seconds, size",
            "<= 3 s",
            f"{made[f'{kind}, podtune']['cpu_s']:.2f} s, {made[f'{kind}, podtune']['ratio']:.0%}",
            f"{made[f'{kind}, tarfile w:gz']['cpu_s']:.2f} s, "
            f"{made[f'{kind}, tarfile w:gz']['ratio']:.0%} (tarfile)",
            f"{made[f'{kind}, tarfile w:gz']['cpu_s'] / made[f'{kind}, podtune']['cpu_s']:.0f}x",
            "archive",
        )
        for kind in ("fp32", "bf16")
    ]


def keeping() -> list[Row]:
    """The job store; what stands as its peer is the same code on PostgreSQL."""
    made = figures("store")
    file, server = made["sqlite"], made["postgresql"]

    def cpu(what: str) -> tuple[str, str]:
        own, served = server[what]["cpu_ms_each"], server[what]["server_cpu_ms_each"]
        return f"{file[what]['cpu_ms_each']:.2f}", f"{own:.2f} + {served:.2f} (PostgreSQL, server)"

    return [
        Row(
            "jobs submitted a second, each on the disk",
            ">= 300",
            f"{file['submits']['per_s']:,}",
            f"{server['submits']['per_s']:,} (PostgreSQL)",
            "-",
            "store",
        ),
        Row("CPU milliseconds of a submit", "-", *cpu("submits"), "-", "store"),
        Row("CPU milliseconds of a change by the workflow", "-", *cpu("changes"), "-", "store"),
        Row(
            f"{made['claims']:,} jobs claimed in one transaction: seconds",
            "-",
            f"{made['claims'] / file['claims']['per_s']:.2f}",
            f"{made['claims'] / server['claims']['per_s']:.2f} (PostgreSQL)",
            "-",
            "store",
        ),
    ]


def driving() -> list[Row]:
    """The driver's loop over many rented jobs."""
    made = figures("reconciler")
    jobs = f"{made['running_jobs']:,}"
    return [
        Row(
            f"a round of the driver over {jobs} running jobs, with one list call: CPU milliseconds",
            "<= 100 ms",
            f"{made['round_with_list_mean_ms']:.0f} ms, at worst {made['round_worst_ms']:.0f} ms; "
            f"{made['round_mean_ms']:.0f} ms is the mean of all rounds",
            "-",
            "-",
            "reconciler",
        ),
        Row(
            f"{jobs} running jobs taken over by another driver: CPU seconds",
            "-",
            f"{made['take_over_ms'] / 1000:.1f}",
            "-",
            "-",
            "reconciler",
        ),
    ]


def faults() -> str:
    """What `make faults` tried and what went wrong, as a Markdown table, with where and when."""
    if not (RESULTS / "faults.json").is_file():
        return f"`make faults`: {UNMEASURED}.\n"
    said = json.loads((RESULTS / "faults.json").read_text(encoding="utf-8"))
    made = said["figures"]
    lines = ["| tried | | has to be 0 | |", "|---|---:|---|---:|"]
    pairs = itertools.zip_longest(made["tried"].items(), made["bad"].items(), fillvalue=("", ""))
    for left, right in pairs:
        lines.append("| " + " | ".join(map(_cell, (*left, *right))) + " |")
    where = (
        f"{said['machine']['cores']} CPU cores, {made['wall_s'] / 60:.0f} minutes, {said['date']}"
    )
    return "\n".join(lines) + f"\n\n{where}.\n"


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def figures(name: str) -> Any:
    """What a benchmark wrote."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["figures"]


def table() -> str:
    """All rows as a Markdown table."""
    lines = ["| what | goal | podtune | peer | ratio | from |", "|---|---|---|---|---|---|"]
    for row in rows():
        source = row.source if "`" in row.source else f"`{row.source}`"
        lines.append("| " + " | ".join([*row[:-1], source]) + " |")
    return "\n".join(lines)


def circumstances() -> str:
    """Of each results file: date and machine."""
    lines = ["| results | date | machine |", "|---|---|---|"]
    for path in sorted(RESULTS.rglob("*.json")):
        said = json.loads(path.read_text(encoding="utf-8"))
        machine = said.get("machine") or said["device"]
        kind = machine.get("card") or f"{machine['cores']} CPU cores, {machine['flags']}"
        words = f"{kind}, {machine['memory_gib']} GiB"
        name = path.relative_to(RESULTS).with_suffix("").as_posix()
        lines.append(f"| `{name}` | {said['date']} | {words} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
