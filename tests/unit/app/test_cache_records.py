"""What is remembered of model caches, and which machines a reaper does not see."""

import subprocess
import sys

import pytest

from podtune.app.cache_records import CacheRecords, Run, SparingAccount
from podtune.core.cache_filling import CacheFile, Seal
from podtune.core.job import Instance, TerminationProof
from support import build

RUN = Run(job="cache-abc", volume="vol1", model="org/m", names=("pt-own-cache-abc-1-x9",))
SEAL = Seal(model="org/m", commit="c" * 40, bytes=3, files=(CacheFile(path="a", bytes=3),))


@pytest.fixture
def records(tmp_path):
    return CacheRecords(tmp_path)


def test_while_a_command_lives_its_machines_are_held(records, tmp_path):
    with records.alive(RUN):
        other = CacheRecords(tmp_path)
        assert other.held() == set(RUN.names)
        assert other.busy("vol1")
        assert not other.busy("vol2")
        assert other.left() == []
    assert records.held() == set()
    assert records.left() == [RUN]  # its machine was not proved gone


def test_a_run_whose_machines_are_gone_is_forgotten(records):
    with records.alive(RUN):
        records.write(RUN.model_copy(update={"names": ()}))
    assert records.left() == []
    assert not records.folder(RUN.job).exists()


def test_a_killed_command_holds_nothing(records, tmp_path):
    """The lock is the system's: it is given back however a process dies."""
    program = (
        "import os, sys; from pathlib import Path\n"
        "from podtune.app.cache_records import CacheRecords, Run\n"
        f"run = Run.model_validate_json({RUN.model_dump_json()!r})\n"
        "held = CacheRecords(Path(sys.argv[1])).alive(run); held.__enter__()\n"
        "print('held', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        assert records.held() == set(RUN.names)
        process.kill()
        process.wait()
    assert records.held() == set()
    assert records.left() == [RUN]


def test_notes_are_kept_by_volume_and_folder(records):
    records.note("vol1", "m", SEAL)
    records.note("../../odd", "m", SEAL)
    assert records.noted("vol1") == {"m": SEAL}
    assert records.noted("../../odd") == {"m": SEAL}
    assert records.noted("vol2") == {}
    records.unnote("vol1", "m")
    assert records.noted("vol1") == {}


def test_a_damaged_note_is_none(records, tmp_path):
    records.note("vol1", "m", SEAL)
    (note,) = tmp_path.rglob("m.json")
    note.write_text("{")
    assert records.noted("vol1") == {}


class Account:
    def __init__(self):
        self.ended = []

    def owned(self, owner):
        names = (*RUN.names, "pt-own-job1-1-x9")
        return [Instance(id=name[-3:], name=name, started_at=build.NOW) for name in names]

    def end_one(self, name, instance_id):
        self.ended.append(name)
        return TerminationProof(instance_id=instance_id, absent_at=build.NOW, method="looked")

    def told_at(self):
        return build.NOW


def test_a_reaper_sees_every_other_machine(records, tmp_path):
    inner = Account()
    account = SparingAccount(inner, tmp_path)
    with records.alive(RUN):
        assert [one.name for one in account.owned("own")] == ["pt-own-job1-1-x9"]
    assert len(account.owned("own")) == 2
    assert account.end_one("a", "b")
    assert (inner.ended, account.told_at()) == (["a"], build.NOW)
