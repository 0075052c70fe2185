import io
from datetime import timedelta

import pytest

from podtune.app import hosted_bytes
from podtune.app.hosted_files import HostedFiles
from podtune.app.service import Service
from podtune.core.errors import (
    ForbiddenError,
    NotFoundError,
    RequestError,
    StateError,
    UnsupportedError,
)
from support import build, homes, tiny_model
from support.waiting import until


class Clock:
    def __init__(self):
        self.now = build.NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def kept(tmp_path, clock):
    service = Service(homes.settings(tmp_path))
    service.settings.home.mkdir()
    made = HostedFiles(service, clock=clock)
    yield made
    made.close()
    service.close()


def checked(kept, file, tenant="ann"):
    def settled():
        found = kept.get(tenant, file.id)
        return found if found.status != "uploaded" else None

    return until(settled, "the check")


def rows(tmp_path, write=tiny_model.write_rows):
    return write(tmp_path / "rows.jsonl").read_bytes()


@pytest.mark.parametrize(
    "write",
    [tiny_model.write_rows, tiny_model.write_pairs],
)
def test_good_data_of_both_methods_is_processed(kept, tmp_path, write):
    content = rows(tmp_path, write)
    file = kept.receive("ann", "../my rows.jsonl", "fine-tune", io.BytesIO(content))
    assert (file.status, file.filename, file.bytes) == ("uploaded", "my_rows.jsonl", len(content))
    found = checked(kept, file)
    assert (found.status, found.error) == ("processed", None)
    assert kept.path("ann", file.id).read_bytes() == content


def test_what_the_hosted_api_takes_for_preferences_is_processed(kept):
    line = (
        b'{"input": {"messages": [{"role": "user", "content": "hi"}]}, '
        b'"preferred_output": [{"role": "assistant", "content": "hello"}], '
        b'"non_preferred_output": [{"role": "assistant", "content": "go away"}]}\n'
    )
    content = b"".join(line.replace(b"hi", b"hi %d" % n) for n in range(12))
    file = kept.receive("ann", "dpo.jsonl", "fine-tune", io.BytesIO(content))
    found = checked(kept, file)
    assert (found.status, found.error) == ("processed", None)


def test_bad_data_says_what_is_wrong_and_shows_no_row(kept, tmp_path):
    content = rows(tmp_path) + b'{"messages": "planted row text"}\n'
    found = checked(kept, kept.receive("ann", "a.jsonl", "fine-tune", io.BytesIO(content)))
    assert found.status == "error"
    assert "line 25" in found.error
    assert "planted" not in found.error
    assert str(tmp_path) not in found.error


def test_files_are_their_tenant_s(kept, tmp_path):
    file = kept.receive("ann", "a.jsonl", "fine-tune", io.BytesIO(rows(tmp_path)))
    assert [f.id for f in kept.of("ann")] == [file.id] == [f.id for f in kept.of(None)]
    assert kept.of("bob") == []
    for ask in (kept.get, kept.path, kept.delete):
        with pytest.raises(NotFoundError) as caught:
            ask("bob", file.id)
        assert caught.value.code == "no_such_file"


def test_deleting_removes_the_bytes(kept, tmp_path):
    file = kept.receive("ann", "a.jsonl", "fine-tune", io.BytesIO(rows(tmp_path)))
    path = kept.path("ann", file.id)
    kept.delete("ann", file.id)
    assert not path.parent.exists()
    with pytest.raises(NotFoundError):
        kept.get("ann", file.id)


def test_what_has_expired_goes_with_its_bytes(kept, tmp_path, clock):
    file = kept.receive("ann", "a.jsonl", "fine-tune", io.BytesIO(rows(tmp_path)), expires_s=3600)
    path = kept.path("ann", file.id)
    clock.now += timedelta(hours=2)
    assert kept.of("ann") == []
    kept.receive("ann", "b.jsonl", "fine-tune", io.BytesIO(b"x"))
    assert not path.exists()


def test_what_was_not_looked_into_is_taken_up_by_who_asks(kept, tmp_path):
    other = HostedFiles(kept._service, clock=kept._clock)
    other.close()
    file = other.receive("ann", "a.jsonl", "fine-tune", io.BytesIO(rows(tmp_path)))
    assert checked(kept, file).status == "processed"


def test_what_cannot_be_kept_leaves_nothing(kept, monkeypatch):
    monkeypatch.setattr(hosted_bytes, "MAX_BYTES", 10)
    for content, kind, code in (
        (b"", RequestError, "empty_file"),
        (b"x" * 11, UnsupportedError, "file_too_large"),
    ):
        with pytest.raises(kind) as caught:
            kept.receive("ann", "a", "fine-tune", io.BytesIO(content))
        assert caught.value.code == code
    monkeypatch.setattr(hosted_bytes, "KEPT_FREE", 2**62)
    with pytest.raises(StateError) as full:
        kept.receive("ann", "a", "fine-tune", io.BytesIO(b"x"))
    assert full.value.code == "disk_full"
    assert list(kept._folder.iterdir()) == []
    assert kept.of("ann") == []


def test_a_tenant_keeps_no_more_than_its_share(tmp_path, clock):
    settings = homes.settings(tmp_path).model_copy(update={"tenant_files_gb": 3e-8})
    settings.home.mkdir()
    service = Service(settings)
    made = HostedFiles(service, clock=clock)

    def bring(tenant, size):
        return made.receive(tenant, "a.jsonl", "fine-tune", io.BytesIO(b"x" * size))

    try:
        first = bring("ann", 20)
        with pytest.raises(ForbiddenError, match="does not fit") as caught:
            bring("ann", 11)
        assert caught.value.code == "files_quota"
        assert [one.id for one in made.of("ann")] == [first.id]
        assert len(list((settings.home / "files").iterdir())) == 1
        bring("ann", 10)
        with pytest.raises(ForbiddenError):
            bring("ann", 1)
        bring("bob", 30)
        bring(None, 99)
        made.delete("ann", first.id)
        bring("ann", 20)
    finally:
        made.close()
        service.close()


@pytest.mark.parametrize(("purpose", "seconds"), [("batch", None), ("fine-tune", 10)])
def test_forms_that_are_not_taken(kept, purpose, seconds):
    with pytest.raises(RequestError) as caught:
        kept.receive("ann", "a", purpose, io.BytesIO(b"x"), expires_s=seconds)
    assert caught.value.context["param"] in ("purpose", "expires_after")


@pytest.mark.parametrize("name", ["\0", "file-\0", "\ud800", "../x", "x" * 1000, ""])
def test_what_can_be_no_id_is_not_there_on_any_database(shared_office, name):
    hosted = HostedFiles(shared_office.service)
    for verb in (hosted.get, hosted.path, hosted.delete):
        with pytest.raises(NotFoundError):
            verb("ann", name)
    hosted.close()
