"""Large data is planned and written in a process of its own, to the same end; and that process ends with who asked."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from podtune.app import apart, planner, rows
from podtune.core.errors import DatasetError, PodtuneError, StateError, UnsupportedError
from podtune.core.request import TrainingRequest
from podtune.intake.defaults import DEFAULT_BASE_MODEL
from support import homes
from support.hub_server import HubServer


@pytest.fixture
def settings(tmp_path):
    made = homes.settings(tmp_path)
    made.home.mkdir()
    return made.with_downloads(tmp_path / "downloads")


@pytest.fixture
def large(monkeypatch):
    monkeypatch.setattr(apart, "LARGE_BYTES", 1)


def request(folder, count=24):
    source = homes.data(folder, count)
    model = homes.model(folder / "model")
    return TrainingRequest(stated={"data.source": str(source), "base_model.name": str(model)})


def quiet(done, whole):
    pass


def test_the_plan_and_the_rows_are_the_same(tmp_path, settings, large):
    asked = request(tmp_path / "user")
    plan = apart.make_plan(asked, settings, quiet)
    assert plan.digest == planner.make_plan(asked, settings).digest
    for write, name in ((apart.write_rows, "apart"), (rows.write, "here")):
        more = {"look": quiet} if write is apart.write_rows else {}
        write(plan, settings, tmp_path / f"{name}.train", tmp_path / f"{name}.validation", **more)
    assert (tmp_path / "apart.train").read_bytes() == (tmp_path / "here.train").read_bytes()


def test_small_data_takes_no_process(tmp_path, settings, monkeypatch):
    monkeypatch.setattr(apart, "_done", None)
    plan = apart.make_plan(request(tmp_path / "user"), settings, quiet)
    apart.write_rows(plan, settings, tmp_path / "t", tmp_path / "v", look=quiet)
    assert (tmp_path / "t").stat().st_size


def test_what_goes_wrong_there_is_told_here(tmp_path, settings, large):
    asked = request(tmp_path / "user")
    (tmp_path / "user" / "tickets.jsonl").write_text('{"messages": 3}\n' * 5)
    with pytest.raises(DatasetError) as there:
        apart.make_plan(asked, settings, quiet)
    with pytest.raises(DatasetError) as here:
        planner.make_plan(asked, settings)
    assert there.value.to_json() == here.value.to_json()


def children():
    return [
        p
        for p in psutil.Process().children(recursive=True)
        if p.status() != psutil.STATUS_ZOMBIE and "podtune.app.apart" in p.cmdline()
    ]


def test_what_is_not_wanted_any_more_ends(tmp_path, settings, large):
    def look(done, whole):
        if done is not None and children():
            raise PodtuneError("no", code="gone")

    with pytest.raises(PodtuneError, match="no"):
        apart.make_plan(request(tmp_path / "user", 4000), settings, look)
    assert children() == []


def test_a_process_that_dies_is_told(tmp_path, settings, large):
    asked = request(tmp_path / "user", 4000)

    def look(done, whole):
        for child in children():
            child.kill()

    with pytest.raises(StateError, match="without a word"):
        apart.make_plan(asked, settings, look)


def test_it_ends_with_who_gave_the_order(tmp_path, settings):
    """The line breaks while it works: it does not stay behind, and says nothing."""
    order = apart._order(settings, request=request(tmp_path / "user", 20_000))
    root = Path(apart.__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-m", "podtune.app.apart"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"},
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        apart._hand_over(process.stdin, order)
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.wait(30) == 1


def test_half_an_order_is_none(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "podtune.app.apart"], input=b'{"settings"', capture_output=True,
        env={"PYTHONPATH": str(Path(apart.__file__).resolve().parents[2]), "PATH": "/usr/bin:/bin"},
        timeout=60, check=False,
    )  # fmt: skip
    assert b"cannot be read" in done.stdout or done.returncode == 1


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """What a tenant asks for with a model of the Hub; its chat template is this text, where one is given."""
    model = homes.model(tmp_path / "model")
    with HubServer({"acme/tiny": model}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))

        def make(template=None):
            if template is not None:
                (model / "chat_template.jinja").write_text(template)
            source = homes.data(tmp_path / "user", 24)
            stated = {"data.source": str(source), "base_model.name": "acme/tiny"}
            return TrainingRequest(stated=stated)

        yield make


ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
LARGE = "{% for m in messages %}{{ m.content }}{% endfor %}{{ ('a' * 99999999999) | length }}"


def test_a_stranger_s_template_that_does_not_end_is_ended(stranger, settings, monkeypatch):
    monkeypatch.setattr(apart, "CPU_S", 3)
    with pytest.raises(UnsupportedError, match="does not end") as caught:
        apart.make_plan(stranger(ENDLESS), settings.for_tenant("shop"), quiet)
    assert caught.value.code == "plan_too_slow"


def test_a_stranger_s_template_gets_no_more_than_a_share_of_the_memory(stranger, settings):
    with pytest.raises(PodtuneError) as caught:
        apart.make_plan(stranger(LARGE), settings.for_tenant("shop"), quiet)
    assert caught.value.code in ("internal_error", "template_refused")


def test_an_ordinary_stranger_s_model_is_planned_as_ever(stranger, settings):
    made = apart.make_plan(stranger(), settings.for_tenant("shop"), quiet)
    assert made.base_model.name == "acme/tiny"
    assert made.report.rows == 24
    assert made.tokens.exact


@pytest.mark.parametrize(
    ("name", "tenant", "is_strangers"),
    [
        ("acme/tiny", "shop", True), ("acme/tiny", None, False), (DEFAULT_BASE_MODEL, "shop", False),
        ("Qwen/Qwen3-8B", "shop", False), (None, "shop", False),
    ],
)  # fmt: skip
def test_whose_model_is_a_stranger_s(settings, name, tenant, is_strangers):
    stated = {} if name is None else {"base_model.name": name}
    found = apart._is_strangers(TrainingRequest(stated=stated), settings.for_tenant(tenant))
    assert found is is_strangers
