"""What the end of an effect tells of a job: from what was seen before and what it gave, to what is seen now."""

import logging
from collections.abc import Mapping
from typing import Final

from podtune.core.artifact import Artifact
from podtune.core.errors import PodtuneError, StateError
from podtune.core.job import Instance, Job, TerminationProof
from podtune.workflow.leaving import ENDED
from podtune.workflow.steps import Effect, Heard, Seen
from podtune.workflow.store import LeaseLostError

log = logging.getLogger(__name__)

_DONE: Final[Mapping[Effect, str]] = {
    Effect.CHECK_DATA: "data_checked",
    Effect.STAGE: "staged",
    Effect.RELEASE: "released",
    Effect.RECEIPT: "receipt_written",
}
"""Effects that either succeed or raise, and what is known afterwards."""

_RESULTS: Final[Mapping[type, str]] = {
    Instance: "launched",
    Artifact: "artifact",
    TerminationProof: "proof",
}
"""What an effect gives, and where it is remembered."""


def is_settled(effect: Effect, value: object) -> bool:
    """Whether an effect came to its end; else it is done again after a rest."""
    return effect in _DONE or isinstance(value, tuple(_RESULTS)) or value is True


def after_success(seen: Seen, effect: Effect, value: object) -> Seen:
    """What is seen once an effect gave something: its end, or what was heard of the machine."""
    if effect is not Effect.TERMINATE:
        seen = seen._replace(error=None)
    done = _DONE.get(effect)
    if done is not None:
        return seen._replace(**{done: True})
    for kind, field in _RESULTS.items():
        if isinstance(value, kind):
            return seen._replace(**{field: value})
    if value is True:
        return seen._replace(fetched=True)
    if seen.state in ENDED:
        empty = value.searched if isinstance(value, Heard) else value is False
        read = isinstance(value, Heard) and value.log_read
        seen = seen._replace(searched=seen.searched or empty, log_read=seen.log_read or read)
    return seen._replace(heard=_more(seen.heard, value)) if isinstance(value, Heard) else seen


def after_failure(job: Job, seen: Seen, effect: Effect, error: BaseException) -> Seen:
    """What is seen once an effect failed.

    That another took the job, or that the store was away, says nothing of the job; an end is asked for until
    it is proved, whatever it says. A fault of ours must not stop the other jobs, nor leave this one's worker
    running.
    """
    if isinstance(error, LeaseLostError) or _is_of_the_store(error):
        return seen
    if effect is Effect.TERMINATE:
        told = error.message if isinstance(error, PodtuneError) else type(error).__name__
        log.warning("terminating job %s: %s", job.id, told)
        return seen
    if isinstance(error, PodtuneError):
        return seen._replace(error=error)
    if isinstance(error, OSError):
        return seen._replace(error=of_the_disk(effect, error))
    log.error("%s of job %s failed", effect, job.id, exc_info=error)
    return seen._replace(error=internal(effect, error))


def of_the_disk(what: str, error: OSError) -> StateError:
    """A file of a job that cannot be read or written."""
    hint = "check the disk, then `podtune resume JOB`"
    return StateError(f"{what}: {error.strerror or error}", hint=hint)


def internal(what: str, error: BaseException) -> StateError:
    """A fault of ours."""
    return StateError(
        f"{what} failed unexpectedly ({type(error).__name__})",
        code="internal_error",
        hint="see driver.log in PODTUNE_HOME, then `podtune resume JOB`",
    )


def _is_of_the_store(error: BaseException) -> bool:
    """Whether the job store could not be used for a moment."""
    return isinstance(error, StateError) and error.code == "state_unavailable"


def _more(known: Heard, new: Heard) -> Heard:
    """What was once accepted or saved stays so."""
    return Heard(
        accepted=known.accepted or new.accepted,
        at=new.at or known.at,
        saved=known.saved or new.saved,
        said=new.said or known.said,
        starts=max(known.starts, new.starts),
        began=known.began or new.began,
        requote=new.requote or known.requote,
    )
