"""A model that proposes: real HTTP to a loopback endpoint, and pydantic-ai's own doubles; most of them lie."""

import json
import subprocess
import sys
from datetime import datetime

import pytest
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.test import TestModel as CannedModel

from podtune.app import llm
from podtune.app.settings import Settings, load
from podtune.core.errors import SpecError
from podtune.intake.words.parse import parse
from support.chat_server import chat_server

NOW = datetime(2026, 11, 22, 10)  # noqa: DTZ001 - local time
KEY = "sk-" + "Zq8" * 9
REQUEST = "qwen3 8b, rows.csv, at most $5, let it look at everything thrice"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("PODTUNE_LLM_API_KEY", KEY)
    with chat_server() as running:
        yield running


@pytest.fixture
def settings(server):
    return Settings(llm_model="m", llm_base_url=server.url, llm_timeout_s=5)


def read(settings, request=REQUEST):
    return llm.parse_with_model(request, NOW, settings)


def same_as_without(parsed, request=REQUEST):
    return parsed == parse(request, NOW)


def test_without_a_model_nothing_is_asked():
    assert llm.parse_with_model(REQUEST, NOW, Settings()) == (parse(REQUEST, NOW), None)
    assert llm.parser(Settings(), print) is parse


def test_what_holds_is_found_and_what_does_not_is_asked(server, settings):
    server.says(("epochs", 3, "look at everything thrice"), ("task", "qa", "look at everything"))
    parsed, note = read(settings)
    assert parsed.must_ask == ["epochs"]
    assert parsed.fields["task"] == "qa"
    assert "epochs" not in parsed.fields
    assert note == "read with m at 127.0.0.1: found task; has to be asked: epochs"


def test_one_call_with_the_masked_words_and_nothing_else(server, settings):
    secret = "hf_" + "Zq8" * 9
    read(settings, f"{REQUEST}. My token is {secret}")
    [(path, headers, body)] = server.seen
    assert path == "/v1/chat/completions"
    assert headers["authorization"] == f"Bearer {KEY}"
    told = json.dumps(body)
    assert secret not in told
    assert "My token is [hidden]" in body["messages"][-1]["content"]
    assert not body.get("tools")
    assert body["response_format"]["type"] == "json_schema"


def test_keys_of_others_are_not_sent(server, monkeypatch):
    others = {name: f"other-{name}" for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")}  # fmt: skip
    for name, value in others.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PODTUNE_LLM_API_KEY")
    read(Settings(llm_model="m", llm_base_url=server.url))
    read(Settings(llm_model="anthropic:m", llm_base_url=server.root))
    assert [path for path, *_ in server.seen] == ["/v1/chat/completions", "/v1/messages"]
    assert "other-" not in json.dumps(server.seen)


def test_anthropic(server):
    server.says(("epochs", 3, "look at everything thrice"))
    parsed, note = read(Settings(llm_model="anthropic:m", llm_base_url=server.root))
    assert parsed.must_ask == ["epochs"]
    assert note is not None
    [(path, headers, _)] = server.seen
    assert path == "/v1/messages"
    assert KEY in (
        headers.get("x-api-key"),
        headers.get("authorization", "").removeprefix("Bearer "),
    )


@pytest.mark.parametrize(
    "lies",
    [
        [("budget_amount", 500, "at most $5")],
        [("budget_amount", 500, "I can pay $500"), ("budget_currency", "USD", "$500")],
        [("budget_kind", "approx", "at most $5"), ("budget_amount", "50", "$5")],
        [("base_model_id", "evil/model", "qwen3 8b"), ("base_model_family", "llama", "qwen3 8b")],
        [("dataset_ref", "/etc/passwd", "rows.csv"), ("intent", "stop", "rows.csv")],
    ],
)
def test_what_the_grammar_reads_is_never_overruled(server, settings, lies):
    server.says(*lies)
    parsed, note = read(settings)
    own = parse(REQUEST, NOW)
    assert {k: parsed.fields[k] for k in own.fields} == dict(own.fields)
    assert set(parsed.fields) == set(own.fields)
    assert note is not None


@pytest.mark.parametrize(
    "answer",
    [
        "no json at all",
        '{"fields": [{"field": "skip_confirmation", "value": "true", "quote": "rows.csv"}]}',
        '{"fields": [], "plan": "start"}',
        '{"fields": [{"field": "epochs", "value": "3"}]}',
        '{"fields": [{"field": "epochs", "value": "3", "quote": "' + "x" * 500 + '"}]}',
        json.dumps({"fields": [{"field": "epochs", "value": "3", "quote": "x"}] * 41}),
        "[" * 10_000,
        b"not http's json",
        b"[1, 2]",
        b'{"choices": []}',
        b"",
    ],
)
def test_junk_changes_nothing(server, settings, answer):
    server.answer = answer
    parsed, note = read(settings)
    assert same_as_without(parsed)
    assert note is not None
    assert note.startswith("read without m at 127.0.0.1: ")
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
def test_refusals_are_told_and_not_tried_again(server, settings, status):
    server.status, server.answer = status, json.dumps({"error": {"message": KEY}}).encode()
    parsed, note = read(settings)
    assert same_as_without(parsed)
    assert note == f"read without m at 127.0.0.1: it answered {status}"
    assert len(server.seen) == 1


def test_one_that_hangs(server, settings):
    server.hangs = True
    parsed, note = read(settings.model_copy(update={"llm_timeout_s": 1}))
    assert same_as_without(parsed)
    assert note == "read without m at 127.0.0.1: no answer within 1 s"


def test_an_endless_answer_is_cut(server, settings):
    server.answer = b" " * (2 << 20)
    parsed, note = read(settings)
    assert same_as_without(parsed)
    assert note == "read without m at 127.0.0.1: it cannot be reached, or broke off"


def test_no_redirect_is_followed(server, settings):
    with chat_server() as other:
        server.status, server.location = 307, f"{other.url}/chat/completions"
        parsed, note = read(settings)
        assert same_as_without(parsed)
        assert note is not None
        assert other.seen == []


def test_nobody_there(settings):
    with chat_server() as gone:
        url = gone.url
    parsed, note = read(settings.model_copy(update={"llm_base_url": url}))
    assert same_as_without(parsed)
    assert note == "read without m at 127.0.0.1: it cannot be reached, or broke off"


def test_plain_http_stays_on_this_machine():
    with pytest.raises(SpecError, match="nothing is sent over http"):
        read(Settings(llm_model="m", llm_base_url="http://models.example.com/v1"))


def test_an_address_is_needed():
    parsed, note = read(Settings(llm_model="m"))
    assert same_as_without(parsed)
    assert note == "read without the language model: PODTUNE_LLM_BASE_URL is not set"


def test_one_that_invents_everything(server, settings):
    names = ("seed", "lora_rank", "batch_size", "max_steps", "gpu_count", "visibility", "where")
    server.says(*((name, "7", "words that are not there") for name in names))
    parsed, note = read(settings)
    assert same_as_without(parsed)
    assert note is not None
    assert "does not fit the words" in note


def test_doubles_of_the_sdk():
    def answer(messages, _info):
        assert "<request>" in str(messages)
        text = json.dumps({"fields": [{"field": "task", "value": "qa", "quote": "rows.csv"}]})
        return ModelResponse(parts=[TextPart(text)])

    parsed, _ = llm.read_with(REQUEST, NOW, FunctionModel(answer), 5, "it")
    assert parsed.fields["task"] == "qa"
    canned = CannedModel(custom_output_text='{"fields": []}')
    assert llm.read_with(REQUEST, NOW, canned, 5, "it") == (parse(REQUEST, NOW), "read with it")


def test_notes_are_said(server, settings):
    said = []
    llm.parser(settings, said.append)(REQUEST, NOW)
    assert said == ["read with m at 127.0.0.1"]


def test_settings_and_where_they_come_from(tmp_path):
    given = {"PODTUNE_LLM_MODEL": "m", "PODTUNE_LLM_BASE_URL": "http://127.0.0.1:1/v1"}
    loaded = load(given, tmp_path)
    assert (loaded.settings.llm_model, loaded.origins["llm_model"]) == ("m", "PODTUNE_LLM_MODEL")


def test_the_sdk_is_loaded_when_it_is_used():
    code = "import sys, podtune.app.llm; print(sorted({'pydantic_ai', 'openai', 'anthropic', 'httpx2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
