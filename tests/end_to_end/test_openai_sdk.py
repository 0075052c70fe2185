"""The unmodified `openai` SDK against `podtune serve` on real sockets: a whole training, paused and resumed ones, chat."""

import inspect
import re
from typing import NamedTuple

import openai
import pytest
from openai.resources.files import Files
from openai.resources.fine_tuning.jobs.checkpoints import Checkpoints
from openai.resources.fine_tuning.jobs.jobs import Jobs

from support import tiny_model
from support.gateways import Program
from support.home import Home
from support.hook_receiver import HookReceiver
from support.hosted import sdk
from support.hub_server import HubServer
from support.waiting import until

SCOPES = ("--scope", "submit", "--scope", "read", "--scope", "cancel")
SMALL = {"lora_rank": 4, "samples": 1}

COVERED = {
    Files: {
        "create",
        "retrieve",
        "list",
        "delete",
        "content",
        "retrieve_content",
        "wait_for_processing",
    },
    Jobs: {"create", "retrieve", "list", "cancel", "pause", "resume", "list_events"},
    Checkpoints: {"list"},
}
"""Every method of the SDK's resources that this file calls."""


class Served(NamedTuple):
    """A gateway, and who is told."""

    home: Home
    gateway: Program
    token: str
    receiver: HookReceiver
    secret: str
    client: openai.OpenAI

    def finished(self, job: str, seconds: float = 180):
        """A job once it has ended."""

        def ended():
            found = self.client.fine_tuning.jobs.retrieve(job)
            return found if found.status in ("succeeded", "failed", "cancelled") else None

        return until(ended, f"the end of {job}", seconds)


@pytest.fixture
def served(tiny, home, tmp_path):
    with HubServer({"acme/tiny": tiny}) as hub, HookReceiver() as receiver:
        home.environment.pop("HF_HUB_OFFLINE")
        home.environment.pop("HF_TOKEN", None)
        home.environment |= {
            "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hub"), "OMP_NUM_THREADS": "1",
            "PODTUNE_EGRESS_HTTP": "true", "PODTUNE_HOSTED_MODELS": "gpt-4o-mini=acme/tiny",
            "PODTUNE_EGRESS_PRIVATE_HOSTS": f"127.0.0.1:{receiver.port}",
        }  # fmt: skip
        token = home.json("keys", "create", "app", "--tenant", "app", *SCOPES)["token"]
        secret = home.run("callbacks", "secret", "--tenant", "app").stdout.strip()
        with Program(home) as gateway, sdk(gateway.url, token, webhook_secret=secret) as client:
            yield Served(home, gateway, token, receiver, secret, client)


def upload(client, path):
    with path.open("rb") as stream:
        file = client.files.create(file=stream, purpose="fine-tune")
    return client.files.wait_for_processing(file.id, poll_interval=0.1, max_wait_seconds=60)


def page_block(root, number):
    """A block of the how-to, compiled."""
    page = (root / "docs/how-to/openai-api.md").read_text(encoding="utf-8")
    return compile(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[number], "page", "exec")


def test_every_method_is_called_here():
    """A method that the SDK gains is seen: it has to be served, or named here."""
    for kind, covered in COVERED.items():
        public = {
            name
            for name, member in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_")
        }
        assert public == covered, kind
    text = inspect.getsource(inspect.getmodule(upload))
    assert all(f".{name}(" in text for names in COVERED.values() for name in names)


@pytest.mark.timeout(300)
def test_a_training_as_a_team_that_comes_from_the_hosted_api_runs_it(served, root, tmp_path):
    client = served.client
    file = upload(client, tiny_model.write_rows(tmp_path / "tickets.jsonl", 40))
    assert (file.status, file.filename, file.purpose) == ("processed", "tickets.jsonl", "fine-tune")
    job = client.fine_tuning.jobs.create(
        model="gpt-4o-mini-2024-07-18",
        training_file=file.id,
        suffix="bot",
        seed=7,
        metadata={"team": "support"},
        method={
            "type": "supervised",
            "supervised": {
                "hyperparameters": {
                    "n_epochs": 20,
                    "batch_size": 4,
                    "learning_rate_multiplier": 10.0,
                }
            },
        },
        extra_body={"podtune": {**SMALL, "callback_url": served.receiver.url}},
    )
    check_begun(job, file.id)
    assert client.files.delete(file.id).deleted, "the job has its own rows"
    ended = served.finished(job.id)
    assert ended.status == "succeeded", ended.error
    check_ended(client, ended)
    check_lists(client, ended)
    check_chat(client, ended)
    exec(page_block(root, 1), {"client": client, "job": ended})
    until(lambda: served.receiver.calls, "the webhook", 60)
    check_webhook(client, served.receiver, job.id)
    (call,) = served.receiver.calls
    told = {"client": client, "BODY": call.body, "HEADERS": call.headers, "SECRET": served.secret}
    exec(page_block(root, 2), told)
    check_stranger(served, ended)


def check_begun(job, file_id):
    assert job.object == "fine_tuning.job"
    assert job.status in ("validating_files", "queued", "running")
    assert (job.training_file, job.model) == (file_id, "gpt-4o-mini-2024-07-18")
    assert (job.seed, job.metadata) == (7, {"team": "support"})
    assert job.error is None
    assert job.hyperparameters.n_epochs == 20
    assert job.method.supervised.hyperparameters.learning_rate_multiplier == 10.0
    assert job.model_extra["podtune"]["base_model"] == "acme/tiny"


def check_ended(client, job):
    assert job.fine_tuned_model.startswith("ft:acme/tiny:")
    assert job.fine_tuned_model.endswith(f":bot:{job.id}")
    assert job.trained_tokens > 100
    assert job.finished_at >= job.created_at
    plan = job.model_extra["podtune"]["plan"]
    assert plan["effective_batch"]["examples"] == 4
    assert plan["learning_rate"] == pytest.approx(1e-2), "ten times our 1e-3"
    (results,) = job.result_files
    lines = client.files.content(results).text.splitlines()
    assert lines[0].startswith("step,train_loss")
    assert len(lines) == 1 + plan["steps"]
    assert client.files.retrieve(results).purpose == "fine-tune-results"
    with pytest.warns(DeprecationWarning, match="content"):
        assert client.files.retrieve_content(results) == "\n".join(lines) + "\n"


def check_lists(client, job):
    page = client.fine_tuning.jobs.list_events(job.id, limit=5)
    assert len(page.data) == 5
    events = list(page)
    assert len({event.id for event in events}) == len(events) > 10, "paging finds each once"
    assert [e.created_at for e in events] == sorted((e.created_at for e in events), reverse=True)
    assert any("learning_rate_multiplier 10 times" in e.message for e in events)
    measured = [e for e in events if e.type == "metrics"]
    assert all(e.data["train_loss"] > 0 for e in measured if "train_loss" in e.data)
    kept = list(client.fine_tuning.jobs.checkpoints.list(job.id))
    assert all(one.fine_tuning_job_id == job.id for one in kept)
    assert [j.id for j in client.fine_tuning.jobs.list()] == [job.id]
    assert [j.id for j in client.fine_tuning.jobs.list(metadata={"team": "support"})] == [job.id]
    assert list(client.fine_tuning.jobs.list(metadata={"team": "sales"})) == []
    assert client.files.list(purpose="fine-tune").data == [], "it was deleted"
    assert job.fine_tuned_model in [m.id for m in client.models.list()]
    assert client.models.retrieve(job.fine_tuned_model).id == job.fine_tuned_model
    for verb in (client.fine_tuning.jobs.cancel, client.fine_tuning.jobs.pause):
        with pytest.raises(openai.ConflictError) as caught:
            verb(job.id)
        assert caught.value.code == "already_ended"
        assert caught.value.response.headers["x-should-retry"] == "false"


def check_chat(client, job):
    asked = {
        "model": job.fine_tuned_model,
        "messages": [{"role": "user", "content": "how do I reset grinder 3?"}],
        "max_completion_tokens": 24,
        "temperature": 0,
    }
    whole = client.chat.completions.create(**asked)
    answer = whole.choices[0].message.content
    assert answer
    assert whole.usage.completion_tokens <= 24
    assert whole.usage.prompt_tokens > 5
    chunks = list(
        client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})
    )
    streamed = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert streamed.strip() == answer
    assert chunks[-1].usage == whole.usage
    word = answer[4:8]
    cut = client.chat.completions.create(**asked, stop=word).choices[0]
    assert (cut.message.content, cut.finish_reason) == (answer.partition(word)[0].strip(), "stop")
    with pytest.raises(openai.BadRequestError, match="over the model's"):
        client.chat.completions.create(**asked | {"max_completion_tokens": 2000})
    with pytest.raises(openai.BadRequestError, match="tools: not built"):
        client.chat.completions.create(
            **asked, tools=[{"type": "function", "function": {"name": "f"}}]
        )
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(**asked | {"model": job.fine_tuned_model + "x"})
    with pytest.raises(openai.InternalServerError) as caught:
        client.with_options(max_retries=0).chat.completions.create(**asked | {"model": "gpt-4o"})
    assert caught.value.status_code == 501


def check_webhook(client, receiver, job):
    (call,) = receiver.calls
    event = client.webhooks.unwrap(call.body, call.headers)
    assert (event.type, event.data.id, event.object) == ("fine_tuning.job.succeeded", job, "event")
    with pytest.raises(openai.InvalidWebhookSignatureError):
        client.webhooks.unwrap(call.body + b" ", call.headers)


def check_stranger(served, job):
    """Another tenant sees nothing, in the words of what does not exist."""
    other = served.home.json("keys", "create", "other", *SCOPES)["token"]
    with sdk(served.gateway.url, other) as client:
        assert list(client.fine_tuning.jobs.list()) == []
        assert list(client.files.list()) == []
        for ask in (
            lambda: client.fine_tuning.jobs.retrieve(job.id),
            lambda: client.fine_tuning.jobs.list_events(job.id),
            lambda: client.files.content(job.result_files[0]),
            lambda: client.models.retrieve(job.fine_tuned_model),
        ):
            with pytest.raises(openai.NotFoundError):
                ask()
    with sdk(served.gateway.url, "ptk_nobody") as nobody, pytest.raises(openai.AuthenticationError):
        nobody.files.list()


@pytest.mark.timeout(300)
def test_pause_keeps_a_checkpoint_and_resume_goes_on_from_it(served, tmp_path):
    client = served.client
    file = upload(client, tiny_model.write_rows(tmp_path / "rows.jsonl", 60))
    job = client.fine_tuning.jobs.create(
        model="acme/tiny",
        training_file=file.id,
        hyperparameters={"n_epochs": 20, "batch_size": 2},
        extra_body={"podtune": {**SMALL, "callback_url": served.receiver.url}},
    )
    served.home.wait_for_step(job.id, 20)
    assert client.fine_tuning.jobs.pause(job.id).status == "paused"
    assert client.fine_tuning.jobs.pause(job.id).status == "paused", "it may be asked twice"
    resumed = client.fine_tuning.jobs.resume(job.id)
    assert resumed.status in ("queued", "running")
    began = served.home.wait_for(
        lambda: [e.step for e in served.home.events(job.id) if e.message == "resumed"],
        "the checkpoint is gone on from",
    )
    assert began[0] >= 1
    assert served.receiver.calls == [], "a pause is no end"
    kept = list(client.fine_tuning.jobs.checkpoints.list(job.id))
    assert kept
    assert kept[0].fine_tuned_model_checkpoint.endswith(f":ckpt-step-{kept[0].step_number}")
    client.fine_tuning.jobs.cancel(job.id)
    assert served.finished(job.id).status == "cancelled"
    until(lambda: served.receiver.calls, "the webhook", 60)
    event = client.webhooks.unwrap(served.receiver.calls[0].body, served.receiver.calls[0].headers)
    assert event.type == "fine_tuning.job.cancelled"
