"""The OpenAPI document says what the routes do."""

import json

import jsonschema
import pytest

from podtune.gateway.errors import is_openai
from podtune.gateway.training_form import EXAMPLE


@pytest.fixture
def document(client):
    return client.get("/openapi.json").json()


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def test_every_route_is_described_and_has_its_errors(document):
    for path, _, operation in operations(document):
        assert operation["summary"], path
        told = operation["responses"]
        assert {"400", "413", "429", "500", "503"} <= set(told), path
        if operation.get("security"):
            assert {"401", "403"} <= set(told), path
        model = "OpenAIErrorBody" if is_openai(path) else "ErrorBody"
        if path != "/readyz":
            assert model in json.dumps(told["503"]), path


def test_plans_are_described_with_bodies_that_fit(document):
    told = {path: item for path, item in document["paths"].items() if path.startswith("/v1/plans")}
    assert {path: set(item) for path, item in told.items()} == {
        "/v1/plans": {"post"}, "/v1/plans/submit": {"post"}, "/v1/plans/{approval_id}": {"get"},
    }  # fmt: skip
    for path in ("/v1/plans", "/v1/plans/submit"):
        body = told[path]["post"]["requestBody"]["content"]["application/json"]
        jsonschema.validate(body["example"], body["schema"])
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(body["example"] | {"more": 1}, body["schema"])


def test_pages_are_not_part_of_it(document):
    allowed = ("/training/", "/v1/", "/healthz", "/readyz", "/metrics")
    assert all(path.startswith(allowed) for path in document["paths"])


def test_the_contract_stands_in_it(document):
    assert {path for path in document["paths"] if path.startswith("/training/")} == {
        "/training/submit", "/training/status/{job_id}", "/training/jobs",
        "/training/cancel/{job_id}", "/training/events/{job_id}", "/training/logs/{job_id}",
        "/training/artifact/{job_id}", "/training/receipt/{job_id}",
    }  # fmt: skip
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert set(document["paths"]["/training/cancel/{job_id}"]) == {"post"}


def test_the_example_fits_the_schema_of_a_request(document):
    content = document["paths"]["/training/submit"]["post"]["requestBody"]["content"]
    body = content["application/json"]
    assert body["example"] == EXAMPLE
    jsonschema.validate(EXAMPLE, body["schema"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(EXAMPLE | {"more": 1}, body["schema"])


def test_nothing_refers_to_what_is_not_there(document):
    text = json.dumps(document)
    assert "HTTPValidationError" not in text
    named = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert named <= set(document["components"]["schemas"])


def test_every_operation_has_a_name_of_its_own(document):
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    assert "post_training_submit" in names
