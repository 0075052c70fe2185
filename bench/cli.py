"""CPU seconds and peak memory of the commands that must feel instant."""

import resource
import subprocess
import sys
import tempfile

import measure

COMMANDS = {
    "--help": ["--help"],
    "plan of the demo": ["plan", str(measure.ROOT / "examples" / "support.jsonl")],
    "jobs": ["jobs"],
}


def cost(arguments: list[str], home: str) -> tuple[float, int]:
    """CPU seconds of one run in a child, and its exit code."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "podtune", *arguments],
        env={"PODTUNE_HOME": home, "PATH": "/usr/bin:/bin", "HOME": home},
        capture_output=True, check=False,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, done.returncode


def main() -> None:
    figures = {}
    with tempfile.TemporaryDirectory() as home:
        for name, arguments in COMMANDS.items():
            runs = [cost(arguments, home) for _ in range(6)][1:]
            seconds = sorted(used for used, _ in runs)
            figures[name] = {"cpu_s_median": round(seconds[2], 3), "exit_code": runs[0][1]}
    measure.write("cli", figures)


if __name__ == "__main__":
    main()
