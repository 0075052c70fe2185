"""The stand-in cloud on a real socket."""

import socket
import threading

import httpx2
import psutil
import pytest

from podtune.core.errors import ConflictError
from podtune.testing.cloud import Cloud
from podtune.testing.faults import FaultKind, FaultRule
from podtune.testing.http import Response
from podtune.testing.options import CloudOptions
from podtune.testing.process_pods import ProcessPods
from podtune.testing.routes import Door, Route
from podtune.testing.server import KEY, CloudServer, environment, key
from support.waiting import until

HEAD = {"Authorization": f"Bearer {KEY}", "User-Agent": "podtune/1"}
QUICK = CloudOptions(provisioning_s=0, pull_s=0, restart_s=0, stop_grace_s=0.1)


@pytest.fixture
def serve(tmp_path):
    with_servers = []

    def started(*routes, faults=()):
        cloud = Cloud(executor=ProcessPods(tmp_path), options=QUICK, faults=faults)
        cloud.mount(
            [Route("*", path, answer, path, Door.OPEN, is_locked=False) for path, answer in routes]
        )
        server = CloudServer(cloud, tick_s=0.01).__enter__()
        with_servers.append(server)
        return server

    yield started
    for server in with_servers:
        server.close()


@pytest.fixture
def client():
    with httpx2.Client(timeout=20, headers=HEAD) as made:
        yield made


def create(client, server, args):
    body = {
        "name": "t", "image": "runpod/x", "gpu": {"id": "Stand-in CPU", "count": 1}, "args": args,
        "ports": ["8466/http"], "env": {"PODTUNE_PORT": "8466"}, "disk": 5,
    }  # fmt: skip
    answer = client.post(f"{server.url}/v2/pods", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def test_a_pod_runs_and_ends_with_the_server(serve, client):
    server = serve()
    pod = create(client, server, "sleep 600")
    address = f"{server.url}/v2/pods/{pod}"
    until(lambda: client.get(address).json()["status"] == "RUNNING", "RUNNING")
    held = server.cloud.executor._pods[pod]
    (sleeper,) = until(lambda: psutil.Process(held._container.pid).children())
    server.close()
    assert not sleeper.is_running() or sleeper.status() == "zombie"
    with pytest.raises(httpx2.ConnectError):
        client.get(address)


def test_it_looks_at_its_pods_by_itself(serve, client):
    server = serve()
    create(client, server, "true")
    until(lambda: any(line.what == "restarted" for line in server.cloud.happenings()), "a restart")


def test_the_pods_port_is_reached_through_the_proxy(serve, client):
    server = serve()
    pod = create(
        client, server, "sh -c 'exec python3 -m http.server -b 127.0.0.1 $PODTUNE_BIND_PORT'"
    )
    address = server.environment()["RUNPOD_PROXY_URL"].format(pod=pod, port=8466)
    answer = until(lambda: _ok(client.get(f"{address}/", headers={"Authorization": ""})))
    assert "Directory listing" in answer.text


def _ok(answer):
    return answer if answer.status_code == 200 else None


def test_many_ask_at_once(serve, client):
    gate = threading.Barrier(8, timeout=10)

    def answer(call):
        gate.wait()
        return Response(200, {}, call.request.value("n").encode())

    server = serve(("/meet", answer))
    found = []

    def ask(number):
        with httpx2.Client(timeout=20) as own:
            found.append(own.get(f"{server.url}/meet?n={number}").text)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [str(number) for number in range(8)]


def test_a_reset_is_seen_as_one(serve, client):
    server = serve(faults=[FaultRule(kind=FaultKind.RESET, route="list_pods")])
    with pytest.raises(httpx2.ReadError):
        client.get(f"{server.url}/v2/pods")


def test_a_stream_that_breaks_is_no_whole_answer(serve, client):
    def pieces():
        yield b"half"
        raise OSError

    server = serve(("/half", lambda call: Response(200, {}, pieces())))
    with pytest.raises((httpx2.ReadError, httpx2.RemoteProtocolError)):
        client.get(f"{server.url}/half")


def test_a_stream_is_closed_when_its_reader_hangs_up(serve, client):
    closed = threading.Event()

    def pieces():
        try:
            yield b"first"
            while True:
                yield b""
        finally:
            closed.set()

    server = serve(("/stream", lambda call: Response(200, {}, pieces())))
    with client.stream("GET", f"{server.url}/stream") as answer:
        assert next(answer.iter_raw()) == b"first"
    assert closed.wait(10)


def test_a_large_body_goes_both_ways(serve, client):
    server = serve(("/echo", lambda call: Response(200, {}, call.request.body)))
    content = bytes(range(256)) * 40_000
    assert client.put(f"{server.url}/echo", content=content).content == content


def test_a_port_in_use_says_what_to_do(serve):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConflictError, match=f"port {port}") as caught:
            CloudServer(Cloud(), port)
    assert caught.value.code == "port_in_use"
    assert "--port 0" in caught.value.hint


def test_pods_are_told_where_the_cloud_is(serve):
    server = serve()
    assert server.cloud.options.base_url == server.url
    assert server.url == f"http://127.0.0.1:{server.port}"


def test_the_environment_leads_here():
    assert environment("http://127.0.0.1:1", "rpa_x") == {
        "RUNPOD_REST_BASE_URL": "http://127.0.0.1:1/v2",
        "RUNPOD_API_BASE_URL": "http://127.0.0.1:1/graphql",
        "RUNPOD_ENDPOINT_BASE_URL": "http://127.0.0.1:1/ai/v2",
        "RUNPOD_PROXY_URL": "http://127.0.0.1:1/proxy/{pod}-{port}",
        "RUNPOD_API_KEY": "rpa_x",
    }


def test_the_key_is_one_that_the_cloud_takes():
    assert key(Cloud()) == KEY
    assert key(Cloud(options=CloudOptions(api_keys=frozenset({"rpa_b", "rpa_a"})))) == "rpa_a"


def test_closing_twice_is_nothing(serve):
    server = serve()
    server.close()
    server.close()


def test_disks_can_be_kept(tmp_path, client):
    pods = ProcessPods(tmp_path)
    with CloudServer(Cloud(executor=pods, options=QUICK), keep=True, tick_s=0.01) as server:
        create(client, server, "sh -c 'echo x > here; sleep 600'")
        until(lambda: list(tmp_path.rglob("here")))
    assert list(tmp_path.rglob("here"))


def test_a_request_that_hangs_in_a_pod_does_not_hold_up_the_end(serve, client):
    server = serve()
    program = (
        "import os, socket; s = socket.create_server(('127.0.0.1', "
        "int(os.environ['PODTUNE_BIND_PORT']))); print('up', flush=True); c = s.accept(); print('asked', flush=True); s.accept()"
    )
    pod = create(client, server, f'python3 -c "{program}"')
    until(lambda: server.cloud.account.pods[pod].logs.last(1, ["container"]))
    answers = []

    def ask():
        with httpx2.Client(timeout=60) as own:
            try:
                answers.append(own.get(f"{server.url}/proxy/{pod}-8466/").status_code)
            except httpx2.TransportError as error:
                answers.append(type(error).__name__)

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: len(server.cloud.account.pods[pod].logs.last(2, ["container"])) == 2, "a request")
    server.close()
    thread.join(20)
    assert len(answers) == 1


@pytest.mark.parametrize(
    "headers", [{"Host": "rebound.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}]
)
def test_a_web_page_runs_no_program(serve, client, tmp_path, headers):
    server = serve()
    marker = tmp_path / "ran"
    body = {
        "name": "t",
        "image": "runpod/x",
        "gpu": {"id": "Stand-in CPU"},
        "args": f"touch {marker}",
    }
    answer = client.post(f"{server.url}/v2/pods", json=body, headers=headers)
    assert answer.status_code == 403
    answer = client.post(f"{server.url}/_stand_in/faults", json=["no_capacity"], headers=headers)
    assert answer.status_code == 403
    assert server.cloud.account.pods == {}
    assert not marker.exists()
