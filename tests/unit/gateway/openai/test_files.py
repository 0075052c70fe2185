import openai
import pytest

from podtune.core.access import Scope
from support.hosted import sdk


def test_a_file_comes_and_goes(place):
    file = place.upload()
    assert (file.object, file.status, file.filename) == ("file", "processed", "rows.jsonl")
    assert file.bytes == place.data.stat().st_size
    assert file.status_details is None
    assert place.client.files.retrieve(file.id) == file
    assert place.client.files.content(file.id).read() == place.data.read_bytes()
    gone = place.client.files.delete(file.id)
    assert (gone.id, gone.deleted, gone.object) == (file.id, True, "file")
    for ask in (place.client.files.retrieve, place.client.files.content, place.client.files.delete):
        with pytest.raises(openai.NotFoundError) as caught:
            ask(file.id)
        assert (caught.value.code, caught.value.param) == ("no_such_file", "file_id")


def test_lists_page_in_both_orders(place):
    ids = {place.upload().id for _ in range(3)}
    down = [one.id for one in place.client.files.list(limit=2)]
    up = [one.id for one in place.client.files.list(limit=1, order="asc")]
    assert set(down) == ids
    assert down == up[::-1]
    assert place.client.files.list(purpose="fine-tune-results").data == []


def test_an_expiry_is_kept(place):
    with place.data.open("rb") as stream:
        file = place.client.files.create(
            file=stream, purpose="fine-tune",
            expires_after={"anchor": "created_at", "seconds": 3600},
        )  # fmt: skip
    assert file.expires_at == pytest.approx(file.created_at + 3600, abs=1)


@pytest.mark.parametrize(
    ("form", "param"),
    [
        ({"purpose": "batch"}, "purpose"),
        ({}, "purpose"),
        ({"purpose": "fine-tune", "expires_after[seconds]": "3600"}, "expires_after"),
        (
            {
                "purpose": "fine-tune",
                "expires_after[anchor]": "created_at",
                "expires_after[seconds]": "1",
            },
            "expires_after",
        ),
    ],
)
def test_forms_that_are_not_taken(place, form, param):
    with place.gateway.client() as client:
        answer = client.post("/v1/files", data=form, files={"file": ("a.jsonl", b"x")})
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == param
        assert client.post("/v1/files", data={"purpose": "fine-tune"}).status_code == 400
        assert client.post("/v1/files", json={}).status_code == 400


def test_nobody_uploads_without_the_right(place):
    reader = place.gateway.key(Scope.READ)
    with sdk(place.gateway.url, reader) as client, pytest.raises(openai.PermissionDeniedError):
        place.upload(client=client)


def test_a_result_file_that_is_none(place):
    with pytest.raises(openai.NotFoundError):
        place.client.files.content("file-results-nothing")
    with pytest.raises(openai.ConflictError):
        place.client.files.delete("file-results-nothing")
