"""Real commands and real drivers on one home: beside each other, and killed."""

import re
import signal
import subprocess

import pytest

from faults.real_world import CARDS, SHORT, World
from podtune.core.states import JobPhase, Outcome
from support.hearing import hear_all
from support.home import Home
from support.waiting import until

PATIENT_S = 60
UNHURRIED = SHORT.model_copy(update={"steps": 100, "step_s": 0.1})
"""Ten seconds of training: time enough for commands to start, which take a second each here."""


@pytest.fixture
def world(template, drivers, tmp_path):
    with World(template, drivers, tmp_path, script=UNHURRIED) as made:
        yield made


@pytest.fixture
def home(world, tmp_path):
    """The command line on the world's home; everything it started is ended."""
    made = Home(world.home.home, tmp_path)
    made.environment.update(world.environment)
    yield made
    made.end_everything()


def train(template, home):
    words = home.command(
        "train", template.data, "--model", template.model, "--on", "runpod", "--budget", "1", "--yes",
        "--gpu", CARDS, "--set", f"deliver.callback_url={template.receiver.url}",
    )  # fmt: skip
    with (home.cwd / "commands.log").open("ab") as log:
        return subprocess.Popen(
            words,
            env=home.environment,
            cwd=home.cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def drive(home):
    """`podtune drive`, once it has said what it drives."""
    started = subprocess.Popen(
        home.command("drive"),
        env=home.environment,
        cwd=home.cwd,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_all,
    )
    assert f"process {started.pid} drives the jobs of" in started.stderr.readline()
    return started


def only(world, number=1):
    """The jobs, once there are so many."""
    return until(
        lambda: (found := world.store.recent()) and len(found) == number and found,
        f"{number} jobs", PATIENT_S,
    )  # fmt: skip


def wait_for(world, job, phase):
    until(lambda: world.store.get(job.id).phase is phase, f"{phase}", PATIENT_S)


def pids(home):
    return {process.pid for process in home.drivers()}


def check(world):
    for job in world.store.recent():
        until(lambda job=job: world.template.received(job.id), "the callback", PATIENT_S)
        wrong, found = world.audit(job.id, Outcome.COMPLETED)
        assert not found, "\n".join([*found, str(wrong), world.home.driver_log.read_text()[-3000:]])
        told = [entry.message for entry in world.store.log(job.id)]
        assert len(told) == len(set(told)), told


def test_commands_and_a_standing_driver_do_not_disturb_each_other(template, world, home):
    standing = drive(home)
    until(lambda: len(world.store.drivers()) == 1, "the standing driver", PATIENT_S)
    commands = [train(template, home), train(template, home)]
    jobs = only(world, 2)
    for job in jobs:
        wait_for(world, job, JobPhase.TRAINING)
    assert not home.drivers(), "no command started a driver beside the one that stands"
    holders = {world.store.get(job.id).holder for job in jobs}
    assert [f":{standing.pid}:" in holder for holder in holders] == [True]

    standing.terminate()
    _, said = standing.communicate(timeout=PATIENT_S)
    assert (standing.returncode, "another driver goes on" in said) == (0, True), said
    until(home.drivers, "a driver, started by a command that watches", PATIENT_S)
    until(lambda: all(f":{p}:" in str(world.store.get(j.id).holder) for p in pids(home) for j in jobs),
          "the jobs with it", PATIENT_S)  # fmt: skip
    second = drive(home)
    said = (home.cwd / "commands.log").read_text
    assert [command.wait(PATIENT_S) for command in commands] == [0, 0], said()
    check(world)
    second.send_signal(signal.SIGINT)
    _, said = second.communicate(timeout=PATIENT_S)
    assert (second.returncode, "nothing is unfinished" in said) == (0, True), said


def test_a_job_goes_on_whoever_is_killed(template, world, home):
    command = train(template, home)
    (job,) = only(world)
    wait_for(world, job, JobPhase.TRAINING)
    (first,) = home.drivers()
    command.kill()
    assert command.wait(PATIENT_S) == -signal.SIGKILL
    assert first.is_running(), "the command's death stops nothing"

    watcher = home.start("watch", job.id)
    first.kill()
    until(lambda: pids(home) - {first.pid}, "another driver, started by who watches", PATIENT_S)
    (second,) = home.drivers()
    watcher.kill()
    second.kill()
    watcher.wait(PATIENT_S)
    assert not world.store.get(job.id).is_finished
    assert len(world.cloud.account.live_pods()) == 1, "the machine trains all the while"

    shown = home.run("jobs", timeout=PATIENT_S)
    assert re.search(rf"{job.id}\b", shown.stdout), shown.stdout + shown.stderr
    world.wait_for_end(job.id)
    check(world)


def folders(world):
    return len(list(world.home.jobs.iterdir()))


def rows(world):
    return len(world.store.recent())


def test_a_command_that_is_killed_in_mid_submit_leaves_a_job_that_runs_or_none(
    template, world, home
):
    for count in (folders, rows):
        known = count(world)
        command = train(template, home)
        until(lambda c=count, k=known: c(world) > k, f"more {count.__name__}", PATIENT_S)
        command.kill()
        command.wait(PATIENT_S)
    found = world.store.recent()
    assert found
    home.run("jobs", timeout=PATIENT_S)
    world.wait_for_end(*(job.id for job in found))
    check(world)
    assert not world.cloud.account.live_pods()
