import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.testing.http import Refused
from podtune.testing.validation import MAX_BODY_BYTES, CreateEndpoint, CreatePod, parse

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=10,
)


def refused(body, model=CreatePod):
    with pytest.raises(Refused) as told:
        parse(body if isinstance(body, bytes) else json.dumps(body).encode(), model)
    return told.value.response


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"name": "p", "bogus": 1}, ["$: additional properties 'bogus' not allowed"]),
        (
            {"name": "p", "gpu": {"id": "x", "n": 1}},
            ["$.gpu: additional properties 'n' not allowed"],
        ),
        ({}, ["$: missing properties: 'name'"]),
        ({"name": "p", "gpu": None}, ["$.gpu: null is not allowed"]),
        ({"name": "p", "env": {"A": None}}, ["$.env.A: null is not allowed"]),
        ([], ["$: expected object"]),
    ],
)
def test_each_fault_is_named(body, errors):
    response = refused(body)
    assert response.status == 422
    assert response.json()["errors"] == errors


@pytest.mark.parametrize(
    "wrong",
    [
        {"disk": "20"},
        {"disk": 0},
        {"disk": 1.5},
        {"globalNetworking": 1},
        {"cloud": "secure"},
        {"ports": "8466/http"},
        {"env": {"A": 1}},
        {"gpu": {"id": "x", "count": 0}},
        {"gpu": {"id": "x", "minCudaVersion": "12"}},
    ],
)
def test_types_are_strict(wrong):
    assert refused({"name": "p", "image": "i", **wrong}).status == 422


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"x" * (MAX_BODY_BYTES + 1)])
def test_what_is_no_json_is_a_bad_request(body):
    assert refused(body).status == 400


def test_registry_may_be_null_and_defaults_are_not_given():
    body = parse(b'{"name": "p", "registry": null, "disk": 5}', CreatePod)
    assert body.given("registry", "disk")
    assert not body.given("args")


def test_values_are_not_repeated():
    assert b"hush" not in refused({"name": "p", "env": {"A": ["hush"]}}).content()


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["name", "gpu", "env", "mounts", "x"]), VALUES, max_size=4))
def test_every_body_is_taken_or_refused(body):
    for model in (CreatePod, CreateEndpoint):
        response = answer(json.dumps(body).encode(), model)
        assert response is None or (response.status == 422 and response.json()["errors"])


def answer(body, model):
    try:
        parse(body, model)
    except Refused as told:
        return told.response
