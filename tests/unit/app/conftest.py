"""A home with a service on it, and accounts that adapters are delivered to, with the variables that lead there."""

import threading

import pytest

from podtune.app import driver
from podtune.app.service import Service
from podtune.testing.clock import RealClock
from podtune.testing.cloud import Cloud
from podtune.testing.executor import NoPods
from podtune.testing.options import CloudOptions
from podtune.testing.server import CloudServer
from support import desks, homes
from support.hub_writes import WRITER, WritableHub
from support.odd_server import OddServer, response
from support.supabase_server import SERVICE_KEY, SupabaseServer


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with WritableHub(tmp_path / "hub") as serving:
        monkeypatch.setenv("HF_ENDPOINT", serving.url)
        monkeypatch.setenv("HF_TOKEN", WRITER)
        yield serving


@pytest.fixture
def supabase(monkeypatch):
    with SupabaseServer() as serving:
        monkeypatch.setenv("SUPABASE_URL", serving.url)
        monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", SERVICE_KEY)
        yield serving


@pytest.fixture
def spawned(monkeypatch):
    """Homes for which a driver would have been started."""
    homes_seen = []
    monkeypatch.setattr(driver, "spawn", lambda settings: homes_seen.append(settings.home))
    return homes_seen


@pytest.fixture
def settings(tmp_path):
    return homes.settings(tmp_path)


@pytest.fixture
def service(settings, spawned):
    made = Service(settings)
    yield made
    made.close()


@pytest.fixture
def user(tmp_path):
    folder = tmp_path / "user"
    homes.model(folder / "model")
    homes.data(folder)
    return folder


@pytest.fixture
def plan(user):
    return homes.plan(user)


@pytest.fixture
def job(service, plan):
    return service.submit(plan, digest=plan.digest)


@pytest.fixture
def account(monkeypatch):
    """A stand-in cloud with money and without machines, and the variables that lead to it."""
    with CloudServer(Cloud(RealClock(), 1, NoPods(), CloudOptions())) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server.cloud


@pytest.fixture
def office(service):
    """The desks of a gateway on the service."""
    made = desks.Office(service)
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def shared_office(request, settings, spawned, monkeypatch):
    """The same on each database."""
    url = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        url = server.fresh()
        monkeypatch.setenv("PODTUNE_DATABASE_URL", url)
    service = Service(settings)
    made = desks.Office(service)
    yield made
    made.close()
    service.close()
    if url is not None:
        server.drop(url)


@pytest.fixture
def mine(user):
    """A request of this machine's own user, on a model folder."""

    def make(name=None, **stated):
        source = stated.pop("source", user / "tickets.jsonl")
        return desks.asked(source, name, base_model__name=str(user / "model"), **stated)

    return make


@pytest.fixture
def rows_server(user):
    with OddServer({"/rows.jsonl": response(200, (user / "tickets.jsonl").read_bytes())}) as made:
        yield made


@pytest.fixture
def remote_office(settings, rows_server, spawned):
    opened = {"egress_http": True, "egress_private_hosts": f"127.0.0.1:{rows_server.port}"}
    service = Service(settings.model_copy(update=opened))
    made = desks.Office(service)
    yield made
    made.close()
    service.close()


@pytest.fixture
def rows_address(rows_server):
    return f"http://127.0.0.1:{rows_server.port}/rows.jsonl?X-Amz-Signature={desks.SECRET}"


@pytest.fixture
def stuck(rows_server):
    """The rows_server sends half, and the rest when it is let."""
    let, begun = threading.Event(), threading.Event()
    rows = rows_server.answers["/rows.jsonl"]

    def slowly(socket):
        socket.sendall(rows[:-40])
        begun.set()
        let.wait(20)
        socket.sendall(rows[-40:])

    rows_server.answers["/rows.jsonl"] = slowly
    yield let, begun
    let.set()
