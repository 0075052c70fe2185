"""The completion list of specification B, checked instead of ticked: `make checklist`.

Six items, each a program or tests that are run, and the prerequisites as `podtune doctor` sees them. A line says
ok, FAILED, or open: open is what this machine cannot try (no buildah) or what only a person can bring (an account,
a key). Exit code 0 when nothing FAILED; with --strict also nothing may be open.
"""

import argparse
import ast
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
WORKER = ROOT / "runpod-worker"
LIMIT_S = 900
"""For one item; the build of the image is the longest, with two minutes on two cores."""


class Finding(NamedTuple):
    """What became of one item."""

    state: str
    """ok, FAILED or open."""
    said: str
    next_step: str = ""


class Item(NamedTuple):
    """One line of the list."""

    name: str
    demand: str
    """As the specification words it."""
    check: Callable[[], Finding]


def handler_follows_the_pattern() -> Finding:
    """`handler.py` defines an async handler, starts the SDK's loop with it, and only as a program."""
    path = WORKER / "handler.py"
    if not path.is_file():
        return Finding("FAILED", "runpod-worker/handler.py is missing")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    started = [ast.unparse(n) for n in ast.walk(tree) if isinstance(n, ast.Call)]
    if "runpod.serverless.start({'handler': handler})" not in started:
        return Finding("FAILED", "it never calls runpod.serverless.start({'handler': handler})")
    program = (
        "import inspect, sys; import handler; assert inspect.iscoroutinefunction(handler.handler), 'not async';"
        "print('runpod' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=WORKER, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, check=False,
    )  # fmt: skip
    if done.returncode:
        return Finding("FAILED", f"it cannot be imported: {done.stderr.strip().splitlines()[-1:]}")
    return Finding("ok", "async, imported without starting, handed to runpod.serverless.start")


def local_test() -> Finding:
    """`python runpod-worker/test_locally.py`, as the specification calls it."""
    if not (WORKER / "test_locally.py").is_file():
        return Finding("FAILED", "runpod-worker/test_locally.py is missing")
    done = subprocess.run(
        [sys.executable, WORKER / "test_locally.py"], cwd=ROOT, capture_output=True, text=True,
        timeout=LIMIT_S, check=False,
    )  # fmt: skip
    last = (done.stdout.strip() or done.stderr.strip()).splitlines()[-1:]
    return Finding("FAILED" if done.returncode else "ok", "".join(last)[:200] or "it said nothing")


def tested_by(*paths: str) -> Callable[[], Finding]:
    """An item that these test files prove."""

    def check() -> Finding:
        missing = [path for path in paths if not (ROOT / path).is_file()]
        if missing:
            return Finding("FAILED", f"missing: {', '.join(missing)}")
        with tempfile.TemporaryDirectory(prefix="podtune-checklist-") as folder:
            report = Path(folder) / "report.xml"
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *paths],
                cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False,
                env={**os.environ, "GOMP_SPINCOUNT": "3000"},  # as workers get it (bench/contention.py)
            )  # fmt: skip
            if not report.is_file():
                return Finding("FAILED", "".join(done.stdout.strip().splitlines()[-1:]))
            return judged(report.read_text(encoding="utf-8"), " ".join(paths))

    return check


def judged(report: str, paths: str) -> Finding:
    """What a JUnit report of pytest says.

    Args:
        report: Its XML; written by the pytest that was just run.
        paths: What to call again where a test failed.
    """
    cases = ElementTree.fromstring(report).findall(".//testcase")
    bad = [
        c.get("name") for c in cases if c.find("failure") is not None or c.find("error") is not None
    ]
    skipped = {c.find("skipped").get("message") for c in cases if c.find("skipped") is not None}
    left = sum(c.find("skipped") is not None for c in cases)
    if bad:
        return Finding(
            "FAILED", f"{len(bad)} of {len(cases)} tests: {bad[0]} ...", f"pytest {paths}"
        )
    if left == len(cases):
        return Finding("open", "; ".join(sorted(filter(None, skipped))) or "no tests were run")
    return Finding(
        "ok", f"{len(cases) - left} tests passed" + (f", {left} skipped" if left else "")
    )


ITEMS = (
    Item("handler", "handler.py follows RunPod serverless pattern", handler_follows_the_pattern),
    Item("locally", "test_locally.py: event structure, sample input, output format", local_test),
    Item(
        "training",
        "train_lora.py implements QLoRA + PEFT correctly",
        tested_by("tests/worker/test_adapter.py", "tests/worker/test_quantised_loading.py"),
    ),
    Item(
        "image",
        "Dockerfile builds successfully",
        tested_by("tests/contract/test_worker_image.py"),
    ),
    Item(
        "lint",
        "Dockerfile and its locks are as they should be",
        tested_by("tests/docs/test_dockerfile.py"),
    ),
    Item(
        "status",
        "Status reporting matches expected format",
        tested_by("tests/worker/test_status_manager.py", "tests/unit/core/test_wire.py"),
    ),
    Item(
        "errors",
        "Error handling covers OOM, NaN, download failures",
        tested_by("tests/worker/test_failures.py", "tests/worker/test_serverless_advice.py"),
    ),
    Item(
        "upload",
        "Adapter upload to Supabase works",
        tested_by("tests/worker/test_serverless_upload.py", "tests/unit/storage/test_supabase.py"),
    ),
)


def prerequisites() -> Iterator[tuple[str, Finding]]:
    """Accounts and keys, by `podtune doctor`; what is missing there is a person's to bring."""
    done = subprocess.run(
        [sys.executable, "-m", "podtune", "doctor", "--for", "runpod-serverless", "--output", "json"],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    try:
        checks = json.loads(done.stdout)
    except ValueError:
        yield "doctor", Finding("FAILED", f"podtune doctor ended with {done.returncode}")
        return
    for check in checks:
        state = "open" if check["state"] == "bad" else "ok"
        yield check["name"], Finding(state, check["found"], check["next_step"] or "")


def run(names: list[str], *, strict: bool, with_prerequisites: bool) -> int:
    """Check and print; the exit code."""
    counts = {"ok": 0, "FAILED": 0, "open": 0}

    def show(name: str, what: str, finding: Finding) -> None:
        counts[finding.state] += 1
        print(f"{finding.state:<7}{name:<15} {what}: {finding.said}", flush=True)
        if finding.next_step and finding.state != "ok":
            print(f"{'':<22} next: {finding.next_step}", flush=True)

    for item in ITEMS:
        if item.name in names:
            try:
                found = item.check()
            except subprocess.TimeoutExpired as error:
                found = Finding("FAILED", f"not done after {error.timeout:.0f} s")
            show(item.name, item.demand, found)
    if with_prerequisites:
        for name, found in prerequisites():
            show(name, "prerequisite", found)
    print(f"{counts['ok']} ok, {counts['FAILED']} FAILED, {counts['open']} open")
    return int(bool(counts["FAILED"] or (strict and counts["open"])))


def main() -> int:
    """Parse, run, exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [item.name for item in ITEMS]
    parser.add_argument("items", nargs="*", metavar="ITEM", help=f"only these: {', '.join(names)}")
    parser.add_argument("--strict", action="store_true", help="what is open counts as failed")
    asked = parser.parse_args()
    unknown = [name for name in asked.items if name not in names]
    if unknown:
        parser.error(f"no item is called {unknown[0]!r}; there are: {', '.join(names)}")
    return run(asked.items or names, strict=asked.strict, with_prerequisites=not asked.items)


if __name__ == "__main__":
    sys.exit(main())
