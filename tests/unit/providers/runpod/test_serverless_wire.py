import json

import msgspec
import pytest
from pydantic import SecretStr, ValidationError

from podtune.providers.runpod import serverless_wire as wire

SECRET = "planted-secret-value"


def test_variables_are_in_clear_in_the_request_alone():
    body = wire.TemplateBody(name="n", image="i", env={"A": SecretStr(SECRET)})
    assert SECRET not in repr(body)
    assert SECRET not in str(body.model_dump())
    assert json.loads(body.model_dump_json(by_alias=True, exclude_none=True)) == {
        "name": "n", "image": "i", "env": {"A": SECRET},
    }  # fmt: skip


def test_credentials_are_in_clear_in_the_request_alone():
    body = wire.CreateRegistry(name="n", username=SecretStr("u"), password=SecretStr(SECRET))
    assert SECRET not in repr(body)
    assert json.loads(body.model_dump_json())["password"] == SECRET


def test_a_change_sends_what_was_given_and_null_where_null_was_given():
    body = wire.TemplateBody(image="i", registry=None)
    assert json.loads(body.model_dump_json(by_alias=True, exclude_unset=True)) == {
        "image": "i", "registry": None,
    }  # fmt: skip
    limits = wire.EndpointBody(workers=wire.WorkerLimits(max=0))
    told = json.loads(limits.model_dump_json(by_alias=True, exclude_unset=True))
    assert told == {"workers": {"max": 0}}


@pytest.mark.parametrize(
    "bad",
    [
        {"timeout": 0},
        {"timeout": 7 * 86_400_000 + 1},
        {"gpu": {"pools": []}},
        {"workers": {"idle_timeout": 3601}},
        {"type": "LOAD_BALANCER"},
        {"novel": 1},
    ],
)
def test_what_runpod_does_not_take_is_not_sent(bad):
    with pytest.raises(ValidationError):
        wire.EndpointBody.model_validate(bad)


@pytest.mark.parametrize("form", [wire.Endpoint, wire.Template, wire.PoolCard])
def test_every_part_but_the_id_may_be_null_or_absent(form):
    fields = {f.encode_name: None for f in msgspec.structs.fields(form)}
    assert msgspec.convert({**fields, "id": "x"}, form).id == "x"
    assert msgspec.json.decode(b'{"id":"x","novel":[1]}', type=form).id == "x"


def test_an_endpoints_answer_is_read_in_their_words():
    told = {
        "id": "e", "gpu": {"pools": ["AMPERE_80"], "count": 1}, "networkVolumes": ["v"],
        "workers": {"min": 0, "max": 2, "idleTimeout": 60}, "dataCenterIds": [], "timeout": 300000,
        "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4},
    }  # fmt: skip
    endpoint = msgspec.convert(told, wire.Endpoint)
    assert endpoint.workers == wire.EndpointWorkers(0, 2, 60)
    assert endpoint.network_volumes == ("v",)
