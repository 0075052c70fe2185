"""A new training by the form: plan first, then what was approved and nothing else; cancel and resume."""

import html
import io
import re
import socket

import pytest
from fastapi import Request

from podtune.core.access import Scope
from podtune.core.states import Desired, Outcome
from podtune.gateway.dashboard import asking_routes
from podtune.gateway.dashboard.asking import Typed
from podtune.gateway.dashboard.uploads import Uploads
from podtune.planning.price import money
from support import homes, renting


@pytest.fixture
def rows(tmp_path):
    return homes.data(tmp_path / "rows").read_bytes()


@pytest.fixture
def typed(tmp_path):
    return {"base_model": str(homes.model(tmp_path / "model")), "epochs": "2"}


def fields(text, action):
    """The hidden fields of a form."""
    form = re.search(rf'<form method="post" action="{action}">(.*?)</form>', text, re.DOTALL)
    assert form, text
    found = re.findall(r'name="([^"]+)" value="([^"]*)"', form.group(1))
    return {name: html.unescape(value) for name, value in found}


def sent(client, rows, typed, **headers):
    return client.post("/new", files={"file": ("my rows.jsonl", rows)}, data=typed, headers=headers)


def test_nothing_starts_before_its_plan_was_seen(client, gateway, rows, typed):
    assert 'id="start"' not in client.get("/new").text
    page = sent(client, rows, typed)
    assert page.status_code == 200, page.text
    for words in ("What will happen", "assumed: ", "stated", "$0.00", "my-rows.jsonl"):
        assert words in page.text
    assert not gateway.service.jobs()
    approved = fields(page.text, "/new/start")
    started = client.post("/new/start", data=approved)
    assert started.status_code == 303
    (job,) = gateway.service.jobs()
    assert started.headers["location"] == f"/jobs/{job.id}"
    assert job.plan_digest == approved["plan"]
    assert float(job.plan.spec.training.epochs) == 2


def test_a_second_press_of_the_button_is_the_same_job(client, gateway, rows, typed):
    approved = fields(sent(client, rows, typed).text, "/new/start")
    places = {client.post("/new/start", data=approved).headers["location"] for _ in range(2)}
    assert len(places) == 1
    assert len(gateway.service.jobs()) == 1


def test_another_plan_than_the_approved_one_does_not_start(client, gateway, rows, typed):
    approved = fields(sent(client, rows, typed).text, "/new/start")
    refused = client.post("/new/start", data=approved | {"epochs": "3"})
    assert refused.status_code == 409, refused.text
    assert 'role="alert"' in refused.text
    assert 'value="3"' in refused.text, "what was typed is still there"
    assert not gateway.service.jobs()


def test_what_was_typed_can_be_changed_and_the_file_stays(client, rows, typed):
    page = sent(client, rows, typed)
    again = client.post("/new", data=fields(page.text, "/new"))
    assert "<b>my-rows.jsonl</b> is here" in again.text
    assert 'value="2"' in again.text
    word = re.search(r'name="upload" value="([a-z0-9]+)"', again.text).group(1)
    replanned = client.post("/new", data=typed | {"upload": word, "epochs": "5"})
    assert fields(replanned.text, "/new/start")["epochs"] == "5"


def test_a_mistake_is_said_and_nothing_lost(client, rows, typed):
    page = sent(client, rows, typed | {"epochs": "<many>"})
    assert page.status_code == 400
    assert "&lt;many&gt;" in page.text
    assert "is no number of epochs" in page.text
    assert "is here" in page.text


def test_bad_rows_are_shown_with_their_lines(client, typed):
    page = sent(client, b'{"messages": []}\n{"nothing": 1}\n', typed)
    assert page.status_code == 400
    assert 'role="alert"' in page.text


@pytest.mark.parametrize(
    "typed_", [{}, {"address": "ftp://x"}, {"upload": "a" * 24}, {"upload": "../x"}]
)
def test_without_data_there_is_no_plan(client, typed_):
    assert client.post("/new", data=typed_).status_code in (400, 404)


def test_a_tenant_uses_its_own_files_only(gateway, rows):
    kept = Uploads(gateway.settings, None).keep("a.jsonl", io.BytesIO(rows))
    with gateway.client(gateway.key(tenant="acme")) as other:
        assert other.post("/new", data={"upload": kept.word}).status_code == 404


def test_a_key_that_may_only_read_starts_nothing(gateway, job):
    with gateway.client(gateway.key(Scope.READ)) as reader:
        assert reader.get("/new").status_code == 403
        assert reader.post(f"/jobs/{job.id}/cancel").status_code == 403
        assert reader.post(f"/jobs/{job.id}/resume").status_code == 403


def test_cancel_and_resume(client, gateway, job):
    asked = client.post(f"/jobs/{job.id}/cancel")
    assert (asked.status_code, asked.headers["location"]) == (303, f"/jobs/{job.id}")
    assert gateway.service.job(job.id).desired is Desired.CANCELLED
    homes.finish(gateway.settings, gateway.service.job(job.id), Outcome.CANCELLED)
    assert client.post(f"/jobs/{job.id}/cancel").status_code == 409
    assert client.post(f"/jobs/{job.id}/resume").status_code == 303
    assert not gateway.service.job(job.id).is_finished


def test_a_page_of_another_site_cancels_nothing(client, gateway, job):
    foreign = {"origin": "https://evil.example"}
    assert client.post(f"/jobs/{job.id}/cancel", headers=foreign).status_code == 403
    assert gateway.service.job(job.id).desired is Desired.RUN


def test_a_rented_plan_shows_its_price_its_ceiling_and_its_machines(gateway):
    asked = Request(
        {
            "type": "http",
            "method": "POST",
            "path": "/new",
            "query_string": b"",
            "headers": [],
            "app": gateway.app,
        }
    )
    plan = renting.plan()
    text = asking_routes.show(asked, Typed(on="runpod"), plan, "a.jsonl").body.decode()
    first = plan.price.first
    for words in (
        money(first.usd_p50),
        money(first.usd_p90),
        "Start, for at most $5.00",
        "never over",
    ):
        assert words in text
    for rung in plan.price.ladder[: asking_routes.RUNGS_SHOWN]:
        assert rung.offer.name in text
    assert "straight to this machine, which must stay on" in text


def test_what_never_became_a_job_has_a_page_that_says_why(client, gateway):
    asked = {"plan": "a" * 64, "once": "b" * 24, "address": "http://127.0.0.1:1/<b>.jsonl"}
    refused = client.post("/new/start", data=asked)
    assert refused.status_code >= 400
    assert 'role="alert"' in refused.text
    (job,) = re.findall(r'href="/jobs/([^"]+)"', client.get("/").text)
    page = client.get(f"/jobs/{job}")
    assert page.status_code == 200
    assert "It never began" in page.text
    assert "refused" in page.text
    assert "data-stream" not in page.text


def test_nothing_of_a_file_is_taken_in_before_the_caller_is_known(serve):
    gateway = serve(is_exposed=True)
    for path in ("/new", "/new/start"):
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as line:
            line.sendall(
                f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n"
                "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n".encode()
            )
            assert line.recv(12) == b"HTTP/1.1 401"  # and the rest was never waited for


@pytest.mark.parametrize("path", ["/new", "/new/start"])
def test_a_form_of_endless_fields_fills_no_memory(client, path):
    many = {f"field{n}": (None, "x") for n in range(200)}
    assert client.post(path, files=many).status_code == 400
    large = {"address": (None, "x" * 900_000)}
    assert client.post(path, files=large).status_code == 400


def test_a_file_in_a_fields_place_is_no_text(client):
    odd = {"address": ("a.txt", b"https://x.example/rows.jsonl"), "plan": (None, "a" * 64)}
    assert client.post("/new/start", files=odd).status_code == 400
