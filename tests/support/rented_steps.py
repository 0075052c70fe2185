"""Rented jobs at the steps of the workflow, for tests of its pure part. For tests only."""

from datetime import timedelta

from podtune.core.artifact import Artifact
from podtune.core.job import Job, TerminationProof
from podtune.core.limits import Limits
from podtune.core.states import JobPhase
from podtune.workflow.advance import advance
from podtune.workflow.steps import Patch, Seen
from support import build, rented_jobs

NOW = build.NOW
LIMITS = Limits()
ARTIFACT = Artifact(uri="file:///x", files={"a": "b"}, size_bytes=1, sha256="c" * 64)
PROOF = TerminationProof(instance_id="pod1", ended=1, absent_at=NOW, method="absent")
A40 = build.offer()
plan = rented_jobs.plan
PLAN = plan()


def job(phase: JobPhase = JobPhase.PROVISIONING, **changes) -> Job:
    """A rented job that ordered nothing yet."""
    return build.job(plan=changes.pop("plan", PLAN), phase=phase, **changes)


def ordered(phase: JobPhase = JobPhase.PROVISIONING, **changes) -> Job:
    """A job whose machine was ordered two minutes ago."""
    begun = NOW - timedelta(minutes=2)
    values = {
        "intent_at": begun,
        "first_intent_at": begun,
        "instance_name": "pt-owner123-demo-abc234-1-x1767340000",
        "deadline": begun + timedelta(hours=4),
    }
    return job(phase, **{**values, **changes})


def running(phase: JobPhase = JobPhase.TRAINING, **changes) -> Job:
    """The same with its machine."""
    return ordered(phase, **{"instance_id": "pod1", **changes})


def seen(**known) -> Seen:
    """What is seen now, by a driver that has watched for two minutes."""
    return Seen(**{"now": NOW, "since": NOW - timedelta(minutes=2), **known})


def step(found: Job, **known) -> Patch:
    """The next step of a job, given what is seen."""
    return advance(found, seen(**known), LIMITS)


def code(patch: Patch) -> str | None:
    """With which error a job leaves."""
    return patch.changes.get("error_code")
