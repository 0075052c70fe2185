"""Old jobs' folders on a volume."""

import json
import os

import pytest

import serverless_cleaning
from serverless_claim import Claim
from serverless_cleaning import clean

NOW = 1_800_000_000.0
DAY = 86_400.0


class Ticks:
    """Monotonic seconds that pass with every look."""

    def __init__(self, step):
        self.now, self._step = 0.0, step

    def __call__(self):
        self.now += self._step
        return self.now


def job(home, name, days, *, asked=True):
    """A job's folder that nothing has touched for some days."""
    folder = home / "jobs" / name
    checkpoint = folder / "checkpoints" / "checkpoint-5"
    checkpoint.mkdir(parents=True)
    (checkpoint / "weights").write_bytes(b"x" * 1000)
    (folder / "events.jsonl").write_text("{}\n", encoding="utf-8")
    if asked:
        (folder / "asked.json").write_text('{"job_id": "a", "digest": "b"}', encoding="utf-8")
    age(folder, days)
    return folder


def age(folder, days):
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (NOW - days * DAY, NOW - days * DAY), follow_symlinks=False)


def names(home):
    return sorted(path.name for path in (home / "jobs").iterdir())


def cleaned(home, days=7.0, **more):
    return clean(home, days, clock=lambda: NOW, **more)


def test_what_is_old_goes_and_what_is_not_stays(tmp_path):
    job(tmp_path, "old", 8)
    job(tmp_path, "young", 6)
    found = cleaned(tmp_path)
    assert (found.jobs, found.finished) == (("old",), True)
    assert found.bytes > 1000
    assert names(tmp_path) == ["young"]
    assert (tmp_path / "jobs" / "young" / "checkpoints" / "checkpoint-5" / "weights").is_file()


@pytest.mark.parametrize(
    "touched",
    ["events.jsonl", "owner.json", "worker.log", "outcome.json", "called/2", "checkpoints"],
)
def test_whatever_happened_to_a_job_lately_keeps_all_of_it(tmp_path, touched):
    folder = job(tmp_path, "a", 30)
    path = folder / touched
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text("", encoding="utf-8")
    age(folder, 30)
    os.utime(path, (NOW - DAY, NOW - DAY))
    assert cleaned(tmp_path).jobs == ()
    assert cleaned(tmp_path, days=0.5).jobs == ("a",)


def test_a_live_heartbeat_keeps_it_whatever_its_files_say(tmp_path):
    folder = job(tmp_path, "a", 30)
    claim = Claim(folder, "w", "p", clock=lambda: NOW - 50)
    assert claim._begin()
    age(folder, 30)
    assert cleaned(tmp_path).jobs == ()
    claim.leave()
    age(folder, 30)
    assert cleaned(tmp_path).jobs == ("a",)


def test_this_workers_own_jobs_stay(tmp_path):
    job(tmp_path, "mine", 30)
    assert cleaned(tmp_path, keep={"mine": None}).jobs == ()


def test_what_is_no_jobs_folder_is_left_alone(tmp_path):
    job(tmp_path, "foreign", 30, asked=False)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "asked.json").write_text("{}", encoding="utf-8")
    (tmp_path / "jobs" / "link").symlink_to(outside)
    assert cleaned(tmp_path).jobs == ()
    assert names(tmp_path) == ["foreign", "link"]


def test_links_inside_are_removed_and_not_followed(tmp_path):
    folder = job(tmp_path, "a", 30)
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights").write_bytes(b"x")
    (folder / "model").symlink_to(model)
    age(folder, 30)
    assert cleaned(tmp_path).jobs == ("a",)
    assert (model / "weights").is_file()


def test_its_time_is_bounded_and_the_next_worker_goes_on(tmp_path):
    for number in range(3):
        folder = job(tmp_path, f"old-{number}", 30)
        for file in range(10):
            (folder / f"{file}").write_bytes(b"x")
        age(folder, 30)
    first = cleaned(tmp_path, monotonic=Ticks(1.0), budget_s=5.0)
    assert not first.finished
    assert any(name.startswith(".removing-") for name in names(tmp_path))
    second = cleaned(tmp_path)
    assert second.finished
    assert names(tmp_path) == []


def test_no_home_no_days_no_work(tmp_path):
    assert cleaned(tmp_path) == ((), 0, True)
    job(tmp_path, "old", 300)
    assert cleaned(tmp_path, days=0).jobs == ()


@pytest.mark.parametrize(
    ("told", "days"),
    [("", 7), ("2.5", 2.5), ("0", 0), ("-1", 7), ("nan", 7), ("soon", 7), ("1e9", 7)],
)
def test_the_endpoints_setting(told, days):
    assert serverless_cleaning.keep_days({"PODTUNE_WORKER_KEEP_DAYS": told}) == days


def test_a_folder_that_cannot_be_removed_stops_nothing(tmp_path, monkeypatch):
    job(tmp_path, "a", 30)
    job(tmp_path, "b", 30)
    whole = serverless_cleaning._remove
    calls = []

    def hangs(folder, *rest):
        calls.append(folder)
        if len(calls) == 1:
            raise OSError(5, "Input/output error")
        return whole(folder, *rest)

    monkeypatch.setattr(serverless_cleaning, "_remove", hangs)
    assert cleaned(tmp_path).jobs == ("b",)
    assert json.dumps(names(tmp_path)).count(".removing-") == 1
