"""The played pod's port, asked by the real client."""

import hashlib
import json

import pytest
from pydantic import SecretStr

from podtune.core.artifact import REQUIRED_FILES
from podtune.core.errors import ArtifactError, ConflictError, PodtuneError, UnavailableError
from podtune.core.handover import PORT, NamedAddress
from podtune.testing.scripts import Misfortune, Script
from support.played_pod import TOKEN, Played, bundle


@pytest.fixture
def play():
    running = []

    def made(script=None, *, listens=True, **more):
        played = Played(script or Script(), **more)
        running.append(played)
        if listens:
            played.pass_s(6)
        return played

    yield made
    for played in running:
        played.close()


def test_the_whole_way(play, tmp_path):
    played = play()
    assert played.port.status().phase == "waiting"
    played.hand_over(tmp_path)
    assert played.port.received().received == played.port.received().total
    played.pass_s(40)
    status = played.port.status()
    assert (status.phase, status.attempt, status.gpus[0].util) == ("training", 1, 97.0)
    played.pass_s(30)
    assert played.port.status().phase == "finished"
    files = played.port.files()
    assert {file.name for file in files} == set(REQUIRED_FILES)
    assert played.port.fetch_files(tmp_path / "got", files)
    tail = played.port.events(0)
    assert (len(tail.block), tail.total) == (played.port.status().events_bytes, tail.total)
    assert json.loads(tail.block.splitlines()[-1])["result"]["ok"]
    assert played.port.log(tail.total).block == b""
    played.port.release()
    played.pass_s(1)
    assert played.status in (None, "TERMINATED")


def test_checkpoints_are_fetched_while_it_trains(play, tmp_path):
    played = play()
    played.hand_over(tmp_path)
    played.pass_s(41)
    (checkpoint,) = played.port.checkpoints()
    assert (checkpoint.name, checkpoint.files[-1].name) == ("checkpoint-5", "complete.json")
    assert played.port.fetch_files(tmp_path, checkpoint.files, checkpoint=checkpoint.name)
    assert checkpoint.bytes == sum(file.bytes for file in checkpoint.files)


def test_a_bundle_comes_in_pieces(play):
    played = play()
    content = bundle()
    played.port.hand_over(played.message(content))
    address = f"/proxy/{played.id}-{PORT}/bundle"
    head = {"Authorization": f"Bearer {TOKEN}"}

    def put(offset, piece):
        answer = played.http.put(f"{address}?offset={offset}", content=piece, headers=head)
        return answer.status_code, answer.json()["received"]

    assert put(5, content[5:9]) == (409, 0)
    assert put(0, content[:100]) == (200, 100)
    assert put(0, content[:100]) == (409, 100)
    assert put(100, content[100:] + b"too much") == (409, 100)
    assert put(100, content[100:]) == (200, len(content))
    assert played.port.status().phase == "installing"


def test_another_file_than_announced_is_refused(play, tmp_path):
    played = play()
    content = bundle()
    played.port.hand_over(played.message(content))
    other = tmp_path / "other"
    other.write_bytes(bytes(len(content)))
    with pytest.raises(ArtifactError):
        played.port.send_bundle(other, within_s=60)
    assert played.port.received().received == 0


def test_an_attempt_is_handed_over_once(play, tmp_path):
    played = play()
    played.port.hand_over(played.message(bundle()))
    played.port.hand_over(played.message(bundle()))
    played.hand_over(tmp_path)
    with pytest.raises(ConflictError) as caught:
        played.port.hand_over(played.message(bundle()))
    assert caught.value.code == "pod_begun"


def test_another_attempts_work_is_refused(play):
    played = play()
    message = played.message(bundle()).model_copy(update={"attempt": 2})
    with pytest.raises(ConflictError) as caught:
        played.port.hand_over(message)
    assert caught.value.code != "pod_begun"


@pytest.mark.parametrize("path", ["status", "bundle", "events", "log", "files", "checkpoints"])
def test_nothing_is_told_to_strangers(play, path):
    played = play()
    answer = played.http.get(f"/proxy/{played.id}-{PORT}/{path}")
    assert answer.status_code == 401
    assert played.http.get(f"/proxy/{played.id}-{PORT}/health").json() == {"ok": True}


def test_while_it_boots_the_port_is_closed(play):
    played = play(Script(listen_s=30))
    with pytest.raises(UnavailableError):
        played.port.status()
    played.pass_s(30)
    assert played.port.status().phase == "waiting"


@pytest.mark.parametrize("misfortune", [Misfortune.NEVER_LISTENS, Misfortune.DEAF])
def test_a_port_that_does_not_answer_is_unavailable(play, tmp_path, misfortune):
    played = play(Script(misfortune=misfortune, at_step=2))
    if misfortune is Misfortune.DEAF:
        played.hand_over(tmp_path)
        played.pass_s(50)
    with pytest.raises(UnavailableError):
        played.port.status()


def test_a_damaged_file_is_noticed(play, tmp_path):
    played = play(Script(misfortune=Misfortune.WRONG_SHA256))
    played.hand_over(tmp_path)
    played.pass_s(80)
    with pytest.raises(ArtifactError, match="checksum"):
        played.port.fetch_files(tmp_path / "got", played.port.files())


def test_a_cancelled_training_saves_and_says_so(play, tmp_path):
    played = play(Script(save_every=50))
    played.hand_over(tmp_path)
    played.pass_s(40)
    played.port.cancel()
    played.pass_s(3)
    assert "interrupted" in played.port.status().detail
    assert len(played.port.checkpoints()) == 1


def test_a_busy_machine_is_not_released(play, tmp_path):
    played = play()
    played.hand_over(tmp_path)
    with pytest.raises(ConflictError) as caught:
        played.port.release()
    assert caught.value.code == "pod_busy"


def test_there_are_no_addresses_here(play):
    with pytest.raises(ConflictError):
        play().port.renew(NamedAddress(name="archive", url=SecretStr("https://x.test/")))


def test_what_is_asked_wrongly_is_refused(play, tmp_path):
    played = play()
    played.hand_over(tmp_path)
    played.pass_s(80)
    head = {"Authorization": f"Bearer {TOKEN}"}
    base = f"/proxy/{played.id}-{PORT}"

    def status(path, **headers):
        return played.http.get(f"{base}/{path}", headers=head | headers).status_code

    name = played.port.files()[0].name
    assert status("nothing") == 404
    assert status("files/nothing") == 404
    assert status("checkpoints/checkpoint-77/x") == 404
    assert status("events?after=x") == 400
    assert status(f"files/{name}", range="bytes=999999-") == 416
    assert status(f"files/{name}", range="bytes=x") == 416
    part = played.http.get(f"{base}/files/{name}", headers=head | {"range": "bytes=2-5"})
    whole = played.http.get(f"{base}/files/{name}", headers=head)
    assert (part.status_code, part.content) == (206, whole.content[2:6])
    assert whole.headers["x-sha256"] == hashlib.sha256(whole.content).hexdigest()


def test_a_malformed_hand_over_is_refused(play):
    played = play()
    answer = played.http.post(
        f"/proxy/{played.id}-{PORT}/hand-over", content=b"{}",
        headers={"Authorization": f"Bearer {TOKEN}"},
    )  # fmt: skip
    assert answer.status_code == 400
    assert issubclass(ConflictError, PodtuneError)
