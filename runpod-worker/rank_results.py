"""How the processes of a training ended, and which of their failures is the attempt's.

Each process that fails leaves its typed failure in the job's work folder; the launcher reads them
when all are over. Knows nothing of how processes are started.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import failures
import process_group
import restarts
from podtune.core.events import WorkerResult, parse_line
from progress import EventWriter

PEER_LOST: Final = "peer_lost"
"""Of a process that only noticed that another one is gone."""


class Ended(NamedTuple):
    """A process that is over."""

    rank: int
    code: int
    """As subprocess says: negative for a signal."""
    by_us: bool = False
    """Killed because another had failed."""


class Attendance(NamedTuple):
    """How the processes ended, and why that was looked for."""

    ended: list[Ended]
    """In the order in which they did."""
    stopped: bool
    """Whether this process was asked to end them."""


def cause(seen: Attendance, words: Mapping[int, WorkerResult], world_size: int) -> WorkerResult:
    """The typed failure of the attempt: the first in time that is not another's consequence."""
    failed = [e for e in seen.ended if e.code]
    own = [
        e
        for e in failed
        if not e.by_us and (e.rank not in words or words[e.rank].error_code != PEER_LOST)
    ]
    first = (own or failed)[0]
    if first.rank in words:
        return words[first.rank]
    if seen.stopped:
        return failures.describe(failures.StoppedError("the training was asked to stop"))
    if first.code == restarts.AGAIN:
        return failures.describe(
            failures.StepHungError(
                "a step made no progress; a training on several machines does not start again by "
                "itself",
                hint=failures.ADVICE["step_hung"].advice,
            )
        )
    how = f"was killed (signal {-first.code})" if first.code < 0 else f"ended with {first.code}"
    return failures.describe(
        failures.TrainingError(
            f"process {first.rank + 1} of {world_size} {how}",
            code="rank_lost",
            hint="`podtune logs JOB` may say why (a machine out of memory kills without a word); "
            "`podtune resume JOB` goes on from the last checkpoint",
        )
    )


def exit_code(code: int) -> int:
    """A process's return code as a shell says it."""
    return code if code >= 0 else 128 - code


def last_word(
    job: Path, me: process_group.Member, events: EventWriter, error: BaseException
) -> None:
    """Report a failure: as the attempt's result, or to whoever started this process."""
    if not me.launched:
        events.result(failures.describe(error))
        return
    result = failures.describe(error)
    if process_group.is_lost_peer(error):
        result = failures.describe(
            failures.TrainingError(
                f"process {me.rank + 1} of {me.world} lost the others",
                code=PEER_LOST,
                hint="see the log of each machine; `podtune resume JOB` goes on from the last "
                "checkpoint",
            )
        )
    path = _word(job, me.rank)
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(result.model_dump_json(), encoding="utf-8")
    temporary.replace(path)


def words(job: Path) -> dict[int, WorkerResult]:
    """Rank -> what its process said of its failure, where it could."""
    said: dict[int, WorkerResult] = {}
    for path in (job / "work").glob("rank-*.failure.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        said[int(path.name.split(".")[0].removeprefix("rank-"))] = WorkerResult(**content)
    return said


def has_result(events: Path, attempt: int) -> bool:
    """Whether a process had the last word itself (one whose step hung does)."""
    if not events.is_file():
        return False
    with events.open(encoding="utf-8", errors="replace") as stream:
        said = (parse_line(line) for line in stream)
        return any(e.result is not None for e in said if e and e.attempt == attempt)


def _word(job: Path, rank: int) -> Path:
    return job / "work" / f"rank-{rank}.failure.json"


def forget_words(job: Path) -> None:
    """Remove what an earlier attempt left."""
    for path in (job / "work").glob("rank-*.failure.json"):
        path.unlink()
