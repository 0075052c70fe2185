"""How a job stands at a glance: a word, a shape and a tone, so that none of them is needed alone."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from podtune.app.asked import SubmissionState, Submitted
from podtune.core.job import Job
from podtune.core.plan import Plan
from podtune.core.spec import Place
from podtune.core.states import JobPhase, Outcome


class State(NamedTuple):
    """One state as it is shown."""

    word: str
    sign: str
    """A shape that tells it apart without colour."""
    tone: str
    """`good`, `some`, `bad`, `busy` or `quiet`."""


_ENDED: Final[Mapping[Outcome, tuple[str, str]]] = {
    Outcome.COMPLETED: ("✓", "good"),
    Outcome.FAILED: ("✕", "bad"),
    Outcome.CANCELLED: ("■", "quiet"),
    Outcome.TIMED_OUT: ("◷", "some"),
}
_WAITING: Final = (JobPhase.QUEUED, JobPhase.VALIDATING)


def state_of(found: Submitted) -> State:
    """The state of a submission, or of the job it has become."""
    if found.job is not None:
        return _of_job(found.job)
    if found.state == SubmissionState.REFUSED:
        return State("refused", "✕", "bad")
    return State("preparing" if found.begun_at else "waiting", "○", "quiet")


def _of_job(job: Job) -> State:
    if job.is_finished and job.outcome is not None:
        return State(job.outcome.value, *_ENDED[job.outcome])
    if job.recovering:
        return State("going on", "↻", "some")
    if job.phase in _WAITING:
        return State(job.phase.value, "○", "quiet")
    return State(job.phase.value, "●", "busy")


def where(plan: Plan, rung: int = 0) -> str:
    """Which machine a plan is for, in a few words."""
    if plan.price is None:
        return "this machine"
    ladder = plan.price.ladder
    offer = ladder[min(rung, len(ladder) - 1)].offer
    cards = f"{offer.count} x {offer.name}" if offer.count > 1 else offer.name
    kind = "serverless" if plan.spec.where.on is Place.RUNPOD_SERVERLESS else "pod"
    return f"RunPod {kind}, {cards}"


def model(plan: Plan) -> str:
    """The base model's name; of a folder its last part."""
    name = plan.base_model.name
    return name.rstrip("/").rsplit("/", 1)[-1] if name.startswith("/") else name
