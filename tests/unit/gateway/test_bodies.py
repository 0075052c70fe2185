"""Bodies that are no JSON, or too much of it."""

import pytest


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"nonsense", b"\xff\xfe", b'{"a": NaN}', b'{"a": Infinity}', b"[" * 50_000,
        b'{"a":' * 50_000, b"{} {}", b"'a'", b'{"a": "\\ud800"}',
    ],
)  # fmt: skip
def test_what_is_no_json_is_said_so(client, body):
    refused = client.post("/training/submit", content=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad_json")


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"a"', b"1e400", b"9" * 5000])
def test_json_that_is_no_object_is_the_contracts_to_refuse(client, body):
    refused = client.post("/training/submit", content=body)
    assert (refused.status_code, refused.json()["error"]["code"]) in {
        (400, "bad_request_body"), (400, "bad_json"),
    }  # fmt: skip


def test_no_value_of_a_body_stands_in_its_error(client):
    body = b'{"dataset_url": "https://x/?token=planted", "a": planted}'
    refused = client.post("/training/submit", content=body)
    assert "planted" not in refused.text
