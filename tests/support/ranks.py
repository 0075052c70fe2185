"""Runs a function of `rank_programs` in several real processes that form a group."""

import json
import sys
from pathlib import Path

import launch

HERE = Path(__file__).resolve().parent
SEARCHED = (HERE.parent, HERE.parent.parent / "runpod-worker", HERE.parent.parent / "src")


def run(program: str, folder: Path, count: int = 2, **arguments: object) -> list[dict]:
    """What each process returned, in the order of ranks; raises if one of them failed."""
    folder.mkdir(parents=True, exist_ok=True)
    code = (
        f"import sys; sys.path[:0] = {[str(p) for p in SEARCHED]!r}\n"
        "from support import rank_programs; rank_programs.main(sys.argv[1:])"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, program, str(folder)]
    place = launch.Meeting("127.0.0.1", launch.free_port())
    seen = launch.attend(
        [*command, json.dumps(arguments)], launch.environments(place, count, cores=count)
    )
    assert [e.code for e in seen.ended] == [0] * count, seen
    return [json.loads((folder / f"rank-{r}.json").read_text()) for r in range(count)]
