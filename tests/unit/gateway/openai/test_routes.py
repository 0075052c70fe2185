"""Every address is the SDK's own, stands in the document, and answers errors in the SDK's form."""

import inspect
import re

from openai.resources import files, models
from openai.resources.fine_tuning.jobs import checkpoints, jobs

ASKED = re.compile(r'"(/(?:files|models|fine_tuning)[^"]*)"')


def shape(path):
    return re.sub(r"\{[^}]*\}", "{}", path)


def test_every_address_of_the_sdk_is_served(place):
    with place.gateway.client() as client:
        document = client.get("/openapi.json").json()
    served = {shape(path) for path in document["paths"]}
    wanted = {
        shape(f"/v1{path}")
        for module in (files, models, jobs, checkpoints)
        for path in ASKED.findall(inspect.getsource(module))
    }
    assert len(wanted) >= 10
    assert wanted <= served


def test_errors_have_the_sdk_s_form(place):
    with place.gateway.client() as client:
        for answer in (
            client.get("/v1/nothing"),
            client.get("/v1/files/none"),
            client.post("/v1/fine_tuning/jobs", content=b"{"),
            client.get("/v1/fine_tuning/jobs?limit=x"),
        ):
            assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
            assert 400 <= answer.status_code < 500
