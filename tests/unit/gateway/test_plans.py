"""`/v1/plans` on a real socket: what is planned, what a token buys, and who may what."""

import pytest

from podtune.core.access import Scope
from podtune.testing.clock import RealClock
from podtune.testing.cloud import Cloud
from podtune.testing.executor import NoPods
from podtune.testing.options import CloudOptions
from podtune.testing.server import CloudServer
from podtune.workflow.store import JobStore
from support import homes, tiny_model
from support.odd_server import OddServer, response

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""Comes with a package: nobody is asked for it."""


@pytest.fixture
def rows(tmp_path):
    good = tiny_model.write_rows(tmp_path / "rows.jsonl", 24).read_bytes()
    two = b"question,answer,reply\n" + b"why is it so,because of it,so it is\n" * 12
    pages = {"/rows.jsonl": response(200, good), "/two.csv": response(200, two)}
    with OddServer(pages) as odd:
        yield odd


@pytest.fixture
def gateway(serve, rows, monkeypatch):
    """One that may rent, at a stand-in."""
    with CloudServer(Cloud(RealClock(), 1, NoPods(), CloudOptions())) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield serve(
            egress_http=True, egress_private_hosts=f"127.0.0.1:{rows.port}", max_usd_per_job=20
        )


@pytest.fixture
def agent(gateway):
    """A key that may plan, and start what was planned, of a tenant of its own."""
    with gateway.client(gateway.key(Scope.PLAN, tenant="acme")) as made:
        yield made


@pytest.fixture
def stated(rows):
    def make(page="rows.jsonl", **more):
        return {
            "data.source": f"http://127.0.0.1:{rows.port}/{page}?token=planted",
            "base_model.name": MODEL, "training.epochs": 1,
        } | {name.replace("__", "."): value for name, value in more.items()}  # fmt: skip

    return make


def planned(client, **body):
    answer = client.post("/v1/plans", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def submitted(client, token):
    return client.post("/v1/plans/submit", json={"token": token})


def code(answer):
    return answer.status_code, answer.json()["error"]["code"]


def test_a_plan_is_shown_with_every_choice_and_its_token_starts_it_once(gateway, agent, stated):
    told = planned(agent, stated=stated())
    assert told["plan"]["base_model"] == MODEL
    assert {"data", "tokens", "steps"} <= {line["about"] for line in told["plan"]["lines"]}
    fields = {one["path"]: one for one in told["fields"]}
    assert (fields["training.epochs"]["origin"], fields["training.epochs"]["value"]) == (
        "stated",
        1,
    )
    assert fields["training.seed"]["origin"] == "assumed"
    assert fields["adapter.rank"]["why"]
    assert (told["price"], told["questions"], told["approval"]["needed"]) == (None, [], False)
    assert "planted" not in str(told)
    assert not gateway.service.jobs()
    first = submitted(agent, told["token"])
    assert first.status_code == 200, first.text
    again = submitted(agent, told["token"]).json()
    assert first.json()["external_job_id"] == again["external_job_id"]
    (job,) = gateway.service.jobs()
    assert (job.id, job.plan_digest) == (again["external_job_id"], told["plan"]["digest"])
    state = agent.get(f"/v1/plans/{told['approval']['id']}").json()
    assert (state["state"], state["external_job_id"]) == ("used", job.id)


def test_a_spec_by_sections_is_the_same_plan(agent, stated):
    flat = stated()
    spec = {
        "base_model": flat["base_model.name"],
        "data": {"source": flat["data.source"]},
        "training": {"epochs": 1},
    }
    digests = {
        planned(agent, **body)["plan"]["digest"] for body in ({"spec": spec}, {"stated": flat})
    }
    assert len(digests) == 1


def test_what_is_open_is_asked_and_answered(agent, stated):
    told = planned(agent, stated=stated("two.csv"))
    if told["token"] is None:
        (question,) = told["questions"]
        assert question["must"]
        answers = {question["field"]: question["options"][0]["value"]}
        told = planned(agent, stated=stated("two.csv"), answers=answers)
    assert told["token"]
    rented = stated(where__on="runpod")
    del rented["base_model.name"]
    open_ = planned(agent, stated=rented)
    assert (open_["token"], open_["plan"]) == (None, None)
    assert open_["questions"][0]["field"] == "base_model.name"
    assert open_["questions"][0]["options"]


def test_a_dear_plan_waits_for_a_person(gateway, agent, stated):
    told = planned(agent, stated=stated(where__on="runpod", where__max_usd=9))
    assert told["price"]["max_usd"] == 9
    assert told["approval"]["needed"]
    assert "$9.00" in told["approval"]["reasons"][0]
    number = told["approval"]["id"]
    refused = submitted(agent, told["token"])
    assert code(refused) == (403, "approval_needed")
    assert refused.json()["error"]["context"]["approval_id"] == number
    assert agent.get(f"/v1/plans/{number}").json()["state"] == "approval_needed"
    form = {"digest": told["plan"]["digest"], "word": "agree"}
    assert agent.post(f"/approvals/{number}", data=form).status_code == 403
    with gateway.client(gateway.key(Scope.APPROVE, tenant="acme")) as person:
        assert person.post(f"/approvals/{number}", data=form).status_code == 303
    assert agent.get(f"/v1/plans/{number}").json()["state"] == "ready"
    started = submitted(agent, told["token"])
    assert started.status_code == 200, started.text
    assert started.json()["ceiling_usd"] == 9


def test_a_ceiling_is_lowered_and_never_raised(agent, stated):
    told = planned(agent, stated=stated(where__on="runpod", where__max_usd=500))
    assert told["price"]["max_usd"] == 20
    assert (
        planned(agent, stated=stated(where__on="runpod", where__max_usd=3))["price"]["max_usd"] == 3
    )


def test_a_token_is_its_callers_alone(gateway, agent, stated):
    told = planned(agent, stated=stated())
    token, number = told["token"], told["approval"]["id"]
    with gateway.client(gateway.key(Scope.SUBMIT, tenant="acme")) as same_tenant:
        assert code(submitted(same_tenant, token)) == (403, "bad_plan_token")
    with gateway.client(gateway.key(Scope.SUBMIT)) as stranger:
        assert code(submitted(stranger, token)) == (403, "bad_plan_token")
        assert code(stranger.get(f"/v1/plans/{number}")) == (404, "no_such_plan")
    with gateway.client(gateway.key(Scope.READ)) as reader:
        assert code(submitted(reader, token)) == (403, "scope_missing")
    assert code(submitted(agent, token[:-1] + ("1" if token[-1] == "0" else "0"))) == (
        403, "bad_plan_token",
    )  # fmt: skip
    assert token not in str(gateway.lines())


def test_who_may_plan_begins_nothing_without_a_token(gateway, agent, stated):
    source = stated()["data.source"]
    for path, body in (
        ("/training/submit", {"external_job_id": "x", "dataset_url": source, "base_model": MODEL}),
        ("/v1/fine_tuning/jobs", {"model": MODEL, "training_file": "file-x"}),
        ("/v1/fine_tuning/jobs/x/resume", {}),
    ):
        answer = agent.post(path, json=body)
        assert answer.status_code == 403, (path, answer.text)
    assert "scope" in agent.post("/training/submit", json={}).text
    with gateway.client(gateway.key(Scope.SUBMIT, tenant="acme")) as application:
        assert planned(application, stated=stated())["token"]


def test_tenants_name_nothing_of_this_machine(agent, stated, tmp_path):
    mine = homes.data(tmp_path / "operators")
    answer = agent.post("/v1/plans", json={"stated": stated() | {"data.source": str(mine)}})
    assert code(answer) == (403, "operator_only")
    answer = agent.post("/v1/plans", json={"stated": stated(deliver__to="./out")})
    assert code(answer) == (403, "operator_only")


def test_an_uploaded_file_is_named_by_its_id(agent, stated, rows, tmp_path):
    content = (tmp_path / "rows.jsonl").read_bytes()
    kept = agent.post(
        "/v1/files", files={"file": ("my.jsonl", content)}, data={"purpose": "fine-tune"}
    )
    name = kept.json()["id"]
    told = planned(agent, stated=stated() | {"data.source": name})
    fields = {one["path"]: one["value"] for one in told["fields"]}
    assert fields["data.source"] == name
    assert submitted(agent, told["token"]).status_code == 200
    assert code(agent.post("/v1/plans", json={"stated": {"data.source": "file-none"}})) == (
        404, "no_such_file",
    )  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        [], {}, {"request": "a", "stated": {}}, {"request": ""}, {"stated": {}, "more": 1}, {"stated": []},
        {"request": 1}, {"stated": {}, "minutes": 0},
    ],
)  # fmt: skip
def test_a_bad_body_is_told_with_every_fault(agent, body):
    assert code(agent.post("/v1/plans", json=body)) == (400, "bad_request_body")


def test_nothing_of_it_is_kept_once_it_has_ended(gateway, agent, stated):
    told = planned(agent, stated=stated())
    assert isinstance(gateway.store, JobStore)
    assert (
        code(agent.post("/v1/plans/submit", json={"token": "x", "more": told["token"]}))[0] == 400
    )


@pytest.fixture
def upload(agent, rows, tmp_path):
    """An uploaded file's id."""
    content = (tmp_path / "rows.jsonl").read_bytes()
    kept = agent.post(
        "/v1/files", files={"file": ("my.jsonl", content)}, data={"purpose": "fine-tune"}
    )
    return kept.json()["id"]


def answered(client, sentence, **answers):
    """The plan of a sentence, each question answered by its first option where the test does not say."""
    told = planned(client, request=sentence, answers=answers)
    first = {one["field"]: one["options"][0]["value"] for one in told["questions"] if one["must"]}
    return planned(client, request=sentence, answers=first | answers) if first else told


def test_a_sentence_becomes_a_plan_with_the_words_of_each_field(agent, upload):
    sentence = f"Fine-tune {MODEL} on my support tickets for 2 epochs, on this machine"
    told = planned(agent, request=sentence)
    assert (told["plan"], told["token"]) == (None, None)
    assert "dataset" in {one["field"] for one in told["questions"] if one["must"]}
    told = answered(agent, sentence, dataset=upload)
    fields = {one["path"]: one for one in told["fields"]}
    epochs = fields["training.epochs"]
    assert (epochs["value"], epochs["origin"]) == (2, "stated")
    assert "2 epochs" in epochs["quote"]
    assert fields["data.source"]["value"] == upload
    assert submitted(agent, told["token"]).status_code == 200


def test_an_estimate_has_a_price_and_no_token(agent, upload):
    sentence = f"What would it cost to fine-tune {MODEL} on my tickets for 2 epochs on runpod?"
    told = answered(agent, sentence, dataset=upload)
    assert (told["intent"], told["token"], told["approval"]) == ("estimate", None, None)
    assert told["price"]["usd_p50"] > 0


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("how is my job?", "no_training"),
        ("Fine-tune SmolLM2 on /etc/passwd for 1 epoch", "path_escape"),
        ("Fine-tune SmolLM2 on ../../secrets.jsonl for 1 epoch", "path_escape"),
        ("Fine-tune SmolLM2 on tickets.jsonl for 1 epoch on this machine", "outside_workspace"),
        ("Fine-tune SmolLM2 on http://127.0.0.1:80/rows.jsonl for 1 epoch", "unsafe_url"),
    ],
)
def test_a_sentence_reaches_no_further_than_fields_do(agent, sentence, expected):
    assert code(agent.post("/v1/plans", json={"request": sentence})) == (400, expected)


def test_a_sentence_raises_no_ceiling(agent, upload):
    sentence = f"Fine-tune {MODEL} on my tickets for 1 epoch on runpod, at most $500"
    told = answered(agent, sentence, dataset=upload)
    assert told["price"]["max_usd"] == 20
    assert told["approval"]["needed"]
