"""`make checklist`: what a line says, and when the list fails."""

import importlib.util
import subprocess
import sys

import pytest

CASE = '<testcase classname="t" name="{}" time="0.1">{}</testcase>'
SKIP = '<skipped type="pytest.skip" message="buildah is not installed">x</skipped>'


@pytest.fixture(scope="module")
def tool(request):
    path = request.config.rootpath / "tools" / "checklist.py"
    spec = importlib.util.spec_from_file_location("checklist", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def report(*cases):
    inside = "".join(CASE.format(name, body) for name, body in cases)
    return f'<?xml version="1.0"?><testsuites><testsuite name="pytest">{inside}</testsuite></testsuites>'


def test_passed_tests_are_ok(tool):
    found = tool.judged(report(("a", ""), ("b", ""), ("c", SKIP)), "x")
    assert (found.state, found.said) == ("ok", "2 tests passed, 1 skipped")


@pytest.mark.parametrize(
    "body", ['<failure message="no">x</failure>', '<error message="no">x</error>']
)
def test_one_that_fails_is_told(tool, body):
    found = tool.judged(report(("a", ""), ("b", body)), "tests/x.py")
    assert found.state == "FAILED"
    assert "b" in found.said
    assert found.next_step == "pytest tests/x.py"


def test_what_was_skipped_whole_is_open_with_its_reason(tool):
    found = tool.judged(report(("a", SKIP), ("b", SKIP)), "x")
    assert (found.state, found.said) == ("open", "buildah is not installed")


def test_a_missing_test_file_is_no_success(tool):
    assert tool.tested_by("tests/nothing/here.py")().state == "FAILED"


def test_the_six_items_of_the_specification_are_there(tool):
    demands = [item.demand for item in tool.ITEMS]
    for words in (
        "serverless pattern",
        "QLoRA + PEFT",
        "builds",
        "Status",
        "OOM, NaN, download",
        "Supabase",
    ):
        assert any(words in demand for demand in demands), words


@pytest.mark.parametrize(
    ("states", "strict", "code"),
    [
        (("ok",), True, 0),
        (("ok", "open"), False, 0),
        (("ok", "open"), True, 1),
        (("ok", "FAILED"), False, 1),
    ],
)
def test_the_exit_code(tool, monkeypatch, capsys, states, strict, code):
    items = [
        tool.Item(f"i{n}", "demand", lambda state=state: tool.Finding(state, "said", "do that"))
        for n, state in enumerate(states)
    ]
    monkeypatch.setattr(tool, "ITEMS", tuple(items))
    names = [item.name for item in items]
    assert tool.run(names, strict=strict, with_prerequisites=False) == code
    said = capsys.readouterr().out
    assert said.splitlines()[-1].startswith(
        f"{states.count('ok')} ok, {states.count('FAILED')} FAILED"
    )
    assert ("next: do that" in said) is (set(states) != {"ok"})


def test_a_part_of_it_runs_for_real(root):
    done = subprocess.run(
        [sys.executable, root / "tools/checklist.py", "handler", "lint"],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "2 ok, 0 FAILED, 0 open"


def test_an_unknown_item_names_those_there_are(root):
    done = subprocess.run(
        [sys.executable, root / "tools/checklist.py", "everything"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "handler, locally, training" in done.stderr
