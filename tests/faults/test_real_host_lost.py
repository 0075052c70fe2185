"""This machine dies for good: no driver ever again. The rented machine ends itself, as it was ordered to.

The pods are real processes here, with the real watchdog.
"""

import signal

import psutil
import pytest

from faults.real_drivers import Drivers
from faults.real_world import Template, World
from podtune.core.states import JobPhase
from podtune.testing.dev import IMAGE
from support.waiting import until

LIFE_H = 45 / 3600
"""Until the deadline; the planner would refuse so short a one."""

PATIENT_S = 100


@pytest.fixture
def world(tiny, tmp_path):
    stated = {
        "where__gpu_any_of": "Stand-in CPU", "where__image": IMAGE, "training__max_steps": 100_000,
        "training__epochs": 1000, "training__effective_batch": {"tokens": 256},
        "training__save_steps": 20, "data__validation": 0, "evaluate__samples": 1,
        "where__max_hours": 20,
    }  # fmt: skip
    with (
        Template(tmp_path / "template", tiny, **stated) as template,
        Drivers() as drivers,
        World(template, drivers, tmp_path, script=None) as made,
    ):
        made.environment["OMP_NUM_THREADS"] = "1"
        yield made


def processes(world):
    """What runs for the world's pods."""
    found = []
    for process in psutil.process_iter():
        try:
            told = " ".join([*process.cmdline(), *process.environ().values()])
            if str(world.folder / "cloud") in told and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_a_machine_ends_itself_when_nobody_ever_comes_back(world):
    world.submit("job", max_hours=LIFE_H)
    driver = world.start()
    until(lambda: world.store.get("job").phase is JobPhase.TRAINING, "training", PATIENT_S)
    assert processes(world)
    driver.send(signal.SIGKILL)
    assert driver.wait() == -signal.SIGKILL
    job = world.store.get("job")

    until(lambda: not world.cloud.account.live_pods(), "the machine's end", PATIENT_S)
    until(lambda: not processes(world), "the end of every process", PATIENT_S)
    ended = [h for h in world.cloud.happenings() if h.what == "terminated"]
    assert [h.pod_id for h in ended] == [job.instance_id] == world.made("job")
    late = (ended[0].at - job.deadline).total_seconds()
    assert -10 < late < 15, "at its deadline, give or take the watchdog's look"
    assert world.cloud.account.spent_usd <= job.plan.price.max_usd
    assert world.store.get("job") == job, "nobody was here to write anything"

    world.start().wait(PATIENT_S)
    job = world.store.get("job")
    assert (job.is_finished, job.proof is not None) == (True, True), "much later, somebody looks"
    assert len(world.made("job")) == 1
