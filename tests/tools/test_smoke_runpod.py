"""The paid check, run free of charge: real processes in the stand-in cloud, over real sockets."""

import importlib.util
import os
import subprocess
import sys
from decimal import Decimal

import pytest
from pydantic import SecretStr

from podtune.core.errors import DoubtfulError
from podtune.core.limits import Limits
from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.client import RunPodClient
from podtune.testing.clock import VirtualClock
from podtune.testing.cloud import Cloud
from podtune.testing.options import CloudOptions
from podtune.testing.process_pods import ProcessPods
from podtune.testing.server import CloudServer
from podtune.testing.transport import transport

KEY = "rpa_SMOKETESTKEY0123456789"


@pytest.fixture(scope="module")
def tool(request):
    path = request.config.rootpath / "tools" / "smoke_runpod.py"
    spec = importlib.util.spec_from_file_location("smoke_runpod", path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def virtual(cloud, clock, tool):
    """A recorder and a client on a cloud of this process."""
    recorder = tool.Recorder(transport(cloud))
    client = RunPodClient(
        RunPodAccess(api_key=SecretStr(KEY)),
        transport=recorder,
        sleep=clock.advance,
        clock=lambda: clock.now().timestamp(),
    )
    return recorder, client


def smoke(tool, client, clock, say=lambda _: None):
    return tool.Smoke(client, say, sleep=clock.advance, now=clock.now, boot_s=60)


def test_a_pod_speaks_ends_itself_by_its_own_key_and_is_proved_gone(tool, tmp_path):
    cloud = Cloud(
        options=CloudOptions(provisioning_s=0, pull_s=0.2),
        executor=ProcessPods(tmp_path, environment={"OMP_NUM_THREADS": "1"}),
    )
    said = []
    with CloudServer(cloud) as server:
        access = RunPodAccess(
            api_key=SecretStr(KEY), rest_url=f"{server.url}/v2", graphql_url=f"{server.url}/graphql"
        )
        with RunPodClient(access) as client:
            run = tool.Smoke(
                client, said.append, limits=Limits(settle_s=0.5, proof_window_s=0.4), boot_s=40
            )
            run.pause_s, run.log_s = 0.3, 0.2
            assert run.run(Decimal(1))
        with RunPodClient(access) as client:
            assert client.get("/pods", dict)["pods"] == []
    lines = [line for source, line in run.lines if source == "container"]
    assert any("podtune-smoke start first" in line for line in lines)
    assert any("podkey rest-get" in line for line in lines)
    assert any("podkey rest-delete 403" in line for line in lines)
    assert any("RUNPOD_POD_ID" in line for line in lines)
    assert KEY not in str(said) + str(run.lines) + str(run.notes)
    assert any(note.startswith("proof:") and "0 ended by us" in note for note in run.notes)


def test_differences_are_told(tool):
    clock = VirtualClock()
    options = CloudOptions(is_running_while_pulling=True, transient_404_s=5, pull_s=20)
    recorder, client = virtual(Cloud(clock, options=options), clock, tool)
    shown = []
    run = smoke(tool, client, clock)
    assert run.run(Decimal(1))
    tool.report(run, recorder, shown.append)
    text = "\n".join(shown)
    assert "error not_found" in text
    assert "differences of answers" in text
    _, same = tool.reference()
    again = tool.Recorder(None)
    again.shapes = {call: (h | {"x-new"}, f | {"$.novel"}) for call, (h, f) in same.shapes.items()}
    told = list(tool.differences(again, same))
    assert any("header x-new at RunPod only" in line for line in told)
    assert any("field $.novel at RunPod only" in line for line in told)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143), RuntimeError("a fault of ours")])  # fmt: skip
def test_whatever_happens_the_pod_is_ended(tool, error):
    clock = VirtualClock()
    cloud = Cloud(clock)
    _, client = virtual(cloud, clock, tool)
    run = smoke(tool, client, clock)

    def broken(_):
        raise error

    run.watch = broken
    with pytest.raises(type(error)):
        run.run(Decimal(1))
    assert client.get("/pods", dict)["pods"] == []


def test_an_order_whose_answer_is_lost_is_ended_too(tool):
    clock = VirtualClock()
    cloud = Cloud(clock)
    _, client = virtual(cloud, clock, tool)
    run = smoke(tool, client, clock)
    launch = run.provider.launch

    def lost(request):
        launch(request)
        raise DoubtfulError("lost")

    run.provider.launch = lost
    with pytest.raises(DoubtfulError):
        run.run(Decimal(1))
    assert client.get("/pods", dict)["pods"] == []


def test_nothing_is_rented_above_the_budget(tool):
    clock = VirtualClock()
    cloud = Cloud(clock)
    recorder, client = virtual(cloud, clock, tool)
    with pytest.raises(SystemExit):
        smoke(tool, client, clock).run(Decimal("0.01"))
    assert not any(call.startswith("POST /v2/pods") for call in recorder.shapes)


@pytest.mark.parametrize("budget", ["", "0", "-1", "much", "1e9", "99999"])
def test_without_a_budget_nothing_begins(tool, budget, capsys):
    assert tool.main([f"--budget={budget}"]) == 2
    assert "BUDGET=1" in capsys.readouterr().err


def test_without_a_key_it_says_where_to_get_one(request):
    path = request.config.rootpath / "tools" / "smoke_runpod.py"
    clean = {k: v for k, v in os.environ.items() if not k.startswith("RUNPOD_")}
    done = subprocess.run([sys.executable, path, "--budget", "1"], env=clean, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 4
    assert "RUNPOD_API_KEY is not set" in done.stderr
    assert "console.runpod.io" in done.stderr
