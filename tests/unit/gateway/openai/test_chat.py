"""Requests and refusals; real answers of a real adapter: tests/end_to_end/test_openai_sdk.py."""

import openai
import pytest

from podtune.app import warm_chats
from podtune.app.chat_program import Ended
from podtune.core.errors import SpecError, TrainingError, UnsupportedError
from podtune.gateway.openai import chat
from support import homes

LEAST = {"model": "ft:a", "messages": [{"role": "user", "content": "hi"}]}


class Program:
    """Speaks the protocol; fails after a piece where it is told to."""

    is_alive = True

    def wait_ready(self):
        pass

    def complete(self, asked):
        text = asked["messages"][-1]["content"]
        if text == "refuse":
            raise SpecError("too long", code="bad_conversation")
        yield "hel"
        if text == "fail":
            raise TrainingError("it died", code="chat_failed")
        yield "lo"
        yield Ended("length", 5, 2)

    def kill(self):
        pass

    def close(self):
        pass


@pytest.fixture
def model(place, monkeypatch):
    """What a job trained, with a program in its stead."""
    monkeypatch.setattr(warm_chats.WarmChats, "_started", lambda _self, _folder: Program())
    job = place.create()
    homes.finish(place.gateway.settings, place.gateway.store.get(job.id))
    return place.client.fine_tuning.jobs.retrieve(job.id).fine_tuned_model


def ask(place, model, text="hi", **more):
    messages = [{"role": "user", "content": text}]
    return place.client.chat.completions.create(model=model, messages=messages, **more)


def test_an_answer_whole_and_in_pieces(place, model):
    whole = ask(place, model)
    assert whole.choices[0].message.content == "hello"
    assert whole.choices[0].finish_reason == "length"
    assert whole.usage.total_tokens == 7
    chunks = list(ask(place, model, stream=True))
    assert [c.choices[0].delta.content for c in chunks] == ["", "hel", "lo", None]
    assert chunks[-1].choices[0].finish_reason == "length"


def test_a_refusal_has_a_status_also_where_it_would_stream(place, model):
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError, match="too long"):
            ask(place, model, "refuse", stream=stream)


def test_a_failure_on_the_way_is_told(place, model):
    with pytest.raises(openai.APIError, match="it died"):
        list(ask(place, model, "fail", stream=True))


@pytest.mark.parametrize("name", ["Qwen/Qwen3-8B", "gpt-4o"])
def test_what_was_not_trained_here_does_not_answer(place, name):
    client = place.client.with_options(max_retries=0)
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model=name, messages=LEAST["messages"])
    assert (caught.value.status_code, caught.value.code) == (501, "not_served_here")


def test_a_checkpoint_does_not_answer_by_itself(place, model):
    with pytest.raises(openai.APIStatusError) as caught:
        ask(place, f"{model}:ckpt-step-3")
    assert caught.value.status_code == 501
    assert model in caught.value.message


def test_what_is_understood():
    asked = chat.parse(
        {
            "model": "ft:a", "temperature": 0, "max_tokens": 9, "stop": "END", "user": "me",
            "tools": [], "logprobs": False, "response_format": {"type": "text"},
            "messages": [
                {"role": "developer", "content": "be kind"},
                {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            ],
        }
    ).asked()  # fmt: skip
    assert asked["messages"] == [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "ab"},
    ]
    assert (asked["max_tokens"], asked["stop"], asked["temperature"]) == (9, ["END"], 0)
    assert chat.parse(LEAST).asked()["temperature"] == 1.0


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [{"type": "function"}]},
        {"logprobs": True},
        {"response_format": {"type": "json_object"}},
    ],
)
def test_what_is_not_built_is_refused_by_name(more):
    with pytest.raises(UnsupportedError) as caught:
        chat.parse({**LEAST, **more})
    assert caught.value.context["param"] == next(iter(more))


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {**LEAST, "n": 2},
        {**LEAST, "messages": []},
        {**LEAST, "max_tokens": 10**9},
        {**LEAST, "messages": [{"role": "tool", "content": "x"}]},
        {**LEAST, "messages": [{"role": "user"}]},
    ],
)
def test_bad_bodies(body):
    with pytest.raises(SpecError):
        chat.parse(body)


@pytest.mark.parametrize("content", [[{"type": "image_url"}], [3], ["x" * (chat.MAX_TEXT + 1)]])
def test_only_text_of_a_length_is_taken(content):
    asked = chat.parse({**LEAST, "messages": [{"role": "user", "content": content}]})
    with pytest.raises(SpecError):
        asked.asked()
