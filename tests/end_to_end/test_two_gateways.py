"""Two gateways as processes on one PostgreSQL: hosts that stand in for each other on one home, and strangers.

Real are the server, the gateways, their drivers, workers and sockets.
"""

import threading

import pytest

from podtune.app.reserving import CLAIM_S
from support import postgres_server, tiny_model
from support.at_once import at_once
from support.gateways import Program
from support.home import Home
from support.hub_server import HubServer
from support.odd_server import OddServer, response
from support.postgres_server import PostgresServer
from support.waiting import until

SCOPES = ("--scope", "submit", "--scope", "read", "--scope", "cancel")


@pytest.fixture(scope="module")
def server():
    if reason := postgres_server.missing():
        pytest.skip(reason)
    with PostgresServer() as made:
        yield made


@pytest.fixture
def around(server, tiny, tmp_path):
    """What both sides need: a database, a Hub with the tiny model, a page of rows."""
    rows = tiny_model.write_rows(tmp_path / "rows.jsonl", 40).read_bytes()
    with (
        HubServer({"acme/tiny": tiny}) as hub,
        OddServer({"/rows.jsonl": response(200, rows)}) as data,
    ):
        environment = {
            "HF_ENDPOINT": hub.url, "OMP_NUM_THREADS": "1", "PODTUNE_EGRESS_HTTP": "true",
            "PODTUNE_EGRESS_PRIVATE_HOSTS": f"127.0.0.1:{data.port}",
            "PODTUNE_DATABASE_URL": server.fresh(),
        }  # fmt: skip
        yield environment, data, rows


def made(path, environment):
    """A home of somebody with that environment."""
    path.mkdir(exist_ok=True)
    home = Home(path / "home", path)
    home.environment.pop("HF_HUB_OFFLINE")
    home.environment.pop("HF_TOKEN", None)
    home.environment |= {**environment, "HF_HOME": str(path / "hub")}
    return home


@pytest.fixture
def shared(tmp_path, around):
    """One home, and a second place to start processes from."""
    here, there = (made(tmp_path / name, around[0]) for name in ("here", "there"))
    there.environment["PODTUNE_HOME"] = str(here.path)
    there.path = here.path
    yield here, there
    here.end_everything()


@pytest.fixture
def strangers(tmp_path, around):
    """A home each."""
    both = [made(tmp_path / name, around[0]) for name in ("here", "there")]
    yield both
    for home in both:
        home.end_everything()


def body(data, job_id="theirs", epochs=1):
    return {
        "job_id": job_id,
        "dataset_url": f"http://127.0.0.1:{data.port}/rows.jsonl",
        "hyperparameters": {"base_model": "acme/tiny", "num_epochs": epochs, "lora_rank": 4},
    }


def key(home):
    return home.json("keys", "create", "app", *SCOPES, "--tenant", "acme")["token"]


def ended(client, job, seconds=120):
    def look():
        status = client.get(f"/training/status/{job}").json()
        return status if status.get("status") not in (None, "running") else None

    return until(look, f"the end of {job}", seconds)


@pytest.mark.timeout(300)
def test_two_that_share_a_home_are_one_gateway(shared, around):
    """The same submit at both at once is one job; a key of one opens the other; what one is asked both know."""
    here, there = shared
    _, data, _ = around
    token = key(here)
    with (
        Program(here) as first,
        Program(there) as second,
        first.client(token) as one,
        second.client(token) as other,
    ):
        order = body(data)
        answers = at_once(
            lambda client: client.post("/training/submit", json=order), [one, other] * 6
        )
        assert {answer.status_code for answer in answers} == {200}
        (job,) = {answer.json()["external_job_id"] for answer in answers}
        differs = other.post("/training/submit", json=body(data, epochs=2))
        assert (differs.status_code, differs.json()["error"]["code"]) == (
            409, "idempotency_conflict",
        )  # fmt: skip
        later = other.post("/training/submit", json=body(data, "later", epochs=50)).json()
        assert other.post(f"/training/cancel/{later['external_job_id']}").status_code == 200
        assert ended(one, later["external_job_id"])["error_code"] == "cancelled"
        assert [ended(client, job)["status"] for client in (one, other)] == ["completed"] * 2
        assert len({client.get(f"/training/receipt/{job}").text for client in (one, other)}) == 1
        for client in (one, other):
            listed = client.get("/training/jobs").json()["jobs"]
            assert [row["job_id"] for row in listed] == ["later", "theirs"]
        assert client.get("/readyz").json()["ready"]
    assert len(here.json("jobs")) == 2


@pytest.mark.timeout(300)
def test_what_one_was_preparing_when_it_was_killed_the_other_prepares(shared, around, server):
    """Its claim ends by itself; here it is shortened, as if that time had passed."""
    here, there = shared
    environment, data, rows = around
    begun, let = threading.Event(), threading.Event()

    def slowly(socket):
        socket.sendall(response(200, rows)[:-40])
        begun.set()
        let.wait(60)

    data.answers["/rows.jsonl"] = slowly
    token = key(here)
    with Program(here) as first, Program(there) as second, second.client(token) as other:
        with first.client(token) as one:
            lost = threading.Thread(target=_asked, args=(one, body(data)))
            lost.start()
            assert begun.wait(60)
            first.process.kill()
            lost.join()
        data.answers["/rows.jsonl"] = response(200, rows)
        let.set()
        (listed,) = other.get("/training/jobs").json()["jobs"]
        job = listed["external_job_id"]
        assert other.get(f"/training/status/{job}").json()["phase"] in ("downloading", "queued")
        lapse(server, environment["PODTUNE_DATABASE_URL"], job)
        again = other.post("/training/submit", json=body(data)).json()
        assert again == {"external_job_id": job}
        assert ended(other, job)["status"] == "completed"


def _asked(client, order):
    """A submit whose answer is lost with its gateway."""
    try:
        client.post("/training/submit", json=order)
    except Exception:  # noqa: BLE001 - any way of a line to break
        return


def lapse(server, url, job):
    """Move a claim by the time that a dead holder's lasts."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        done = connection.execute(
            "UPDATE submissions SET held_until = held_until - %s WHERE id = %s AND state = 'preparing'",
            (int((CLAIM_S + 1) * 1e6), job),
        )
        assert done.rowcount == 1


@pytest.mark.timeout(300)
def test_strangers_see_each_other_s_jobs_but_have_not_their_files(strangers, around):
    """A home each: rows are shared, files are not. Each prepares and drives its own; the other says what it lacks."""
    here, there = strangers
    _, data, _ = around
    token = key(here)
    with Program(here) as first, first.client(token) as one:
        job = one.post("/training/submit", json=body(data)).json()["external_job_id"]
        with Program(there) as second, second.client(token) as other:
            check_strangers(one, other, job, data)
            seen = [{one["id"] for one in home.json("jobs")} for home in (here, there)]
            assert seen[0] == seen[1] != set()
            assert "jobs of another home" in second.log()
            assert "jobs of another home" not in first.log()


def check_strangers(one, other, job, data):
    repeated = other.post("/training/submit", json=body(data)).json()["external_job_id"]
    mine = other.post("/training/submit", json=body(data, "mine")).json()["external_job_id"]
    assert repeated == job != mine
    assert ended(one, job)["status"] == ended(other, mine)["status"] == "completed"
    assert other.get(f"/training/status/{job}").json()["status"] == "completed"
    refused = other.get(f"/training/artifact/{job}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "elsewhere")
    assert one.get(f"/training/artifact/{job}").status_code == 200
    log = other.get(f"/training/logs/{job}")
    assert (log.status_code, log.json()["error"]["code"]) == (409, "elsewhere")
