"""The client against a small machine in memory; against the real one: tests/worker/pod."""

import json
import re
from hashlib import sha256

import httpx2
import pytest
from pydantic import SecretStr

from podtune.core.errors import ArtifactError, ConflictError, ProviderError, UnavailableError
from podtune.core.handover import RemoteFile
from podtune.storage.pod_files import FIRST_CHUNK, WANTED_CHUNK_S
from podtune.storage.pod_port import PodPort

CONTENT = bytes(range(256)) * 40_000
SUM = sha256(CONTENT).hexdigest()


class Pod:
    """Takes a bundle and gives a file; `faults` says what the next requests meet."""

    def __init__(self):
        self.got = b""
        self.faults = []
        self.asked = []
        self.pieces = []
        self.now = 0.0
        self.bytes_per_s = 1e9
        self.sum = SUM
        self.content = CONTENT

    def __call__(self, request):
        self.asked.append((request.method, request.url.path))
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Exception):
            raise fault
        if isinstance(fault, int):
            return httpx2.Response(fault, content=b"proxy")
        name = request.url.path.strip("/").split("/")[0]
        status, body, headers = getattr(self, name)(request)
        return httpx2.Response(status, content=body, headers={"X-Podtune": "1", **headers})

    def bundle(self, request):
        if request.method == "GET":
            return 200, json.dumps({"received": len(self.got)}), {}
        body = request.read()
        self.now += len(body) / self.bytes_per_s
        self.pieces.append(len(body))
        if int(request.url.params["offset"]) != len(self.got):
            return 409, json.dumps({"reason": "no", "received": len(self.got)}), {}
        self.got += body
        if len(self.got) == len(CONTENT) and sha256(self.got).hexdigest() != self.sum:
            self.got = b""
            return 422, json.dumps({"reason": "another", "received": 0}), {}
        return 200, json.dumps({"received": len(self.got)}), {}

    def files(self, request):
        if request.url.path.strip("/") == "files":
            return 200, json.dumps({"files": [{"name": "a b", "bytes": 3, "sha256": SUM}]}), {}
        first, last = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers["range"]).groups()
        block = self.content[int(first) : int(last) + 1]
        self.now += len(block) / self.bytes_per_s
        self.pieces.append(len(block))
        return 206, block, {}

    def events(self, request):
        return 200, CONTENT[int(request.url.params["after"]) :][:10], {"X-Total": str(len(CONTENT))}

    def checkpoints(self, request):
        return 200, b'[{"name": "checkpoint-3", "step": 3, "bytes": 0, "files": []}]', {}

    def status(self, request):
        return 200, b'{"phase": "dancing"}', {}


@pytest.fixture
def pod():
    return Pod()


@pytest.fixture
def port(pod):
    slept = []
    made = PodPort(
        "https://pod.example", SecretStr("t"), transport=httpx2.MockTransport(pod),
        clock=lambda: pod.now, sleep=slept.append,
    )  # fmt: skip
    made.slept = slept
    yield made
    made.close()


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "bundle.tar"
    path.write_bytes(CONTENT)
    return path


FILE = RemoteFile(name="weights", bytes=len(CONTENT), sha256=SUM)


def test_pieces_grow_on_a_fast_line(pod, port, bundle):
    told = []
    assert port.send_bundle(bundle, within_s=100, on_progress=lambda *pair: told.append(pair))
    assert pod.got == CONTENT
    assert pod.pieces[0] == FIRST_CHUNK
    assert pod.pieces[1] == 2 * FIRST_CHUNK
    assert told[-1] == (len(CONTENT), len(CONTENT))


def test_a_piece_stays_far_under_the_proxys_limit(pod, port, bundle):
    pod.bytes_per_s = 100_000.0
    port.send_bundle(bundle, within_s=1000)
    assert pod.got == CONTENT
    assert max(pod.pieces) / pod.bytes_per_s <= 2 * WANTED_CHUNK_S


def test_a_call_ends_when_its_time_is_over(pod, port, bundle):
    pod.bytes_per_s = 100_000.0
    assert not port.send_bundle(bundle, within_s=20)
    assert 0 < len(pod.got) < len(CONTENT)
    assert port.send_bundle(bundle, within_s=1000)
    assert pod.got == CONTENT


@pytest.mark.parametrize("fault", [502, 404, 524, httpx2.ReadTimeout("x"), httpx2.WriteError("x")])
def test_what_passes_is_outlived(pod, port, bundle, fault):
    pod.faults = [None, None, fault, None, None, fault]
    assert port.send_bundle(bundle, within_s=100)
    assert pod.got == CONTENT
    assert port.slept


def test_what_does_not_pass_is_the_callers_matter(pod, port, bundle):
    pod.faults = [None, *[502, None] * 20]
    with pytest.raises(UnavailableError):
        port.send_bundle(bundle, within_s=100)
    assert len(port.slept) == 3


def test_bytes_that_came_before_are_not_sent_again(pod, port, bundle):
    pod.got = CONTENT[:5_000_000]
    assert port.send_bundle(bundle, within_s=100)
    assert sum(pod.pieces) == len(CONTENT) - 5_000_000


def test_an_offset_that_moved_is_followed(pod, port, bundle):
    pod.got = CONTENT[:1000]
    received = port.received
    port.received = lambda: received().model_copy(update={"received": 0})
    assert port.send_bundle(bundle, within_s=100)
    assert pod.got == CONTENT


def test_another_sum_is_tried_once_more(pod, port, bundle):
    pod.sum = "0" * 64
    with pytest.raises(ArtifactError):
        port.send_bundle(bundle, within_s=100)
    assert sum(pod.pieces) == 2 * len(CONTENT)


def test_a_refusal_is_told(pod, port, bundle):
    pod.bundle = lambda r: (
        (200, '{"received": 0}', {}) if r.method == "GET"
        else (409, '{"reason": "no bundle is awaited", "received": 0}', {})
    )  # fmt: skip
    with pytest.raises(ConflictError, match="awaited"):
        port.send_bundle(bundle, within_s=100)


def test_a_file_is_fetched_in_pieces_and_appears_whole(pod, port, tmp_path):
    target = tmp_path / "deep" / "weights"
    pod.faults = [None, httpx2.ReadError("x"), 524]
    assert port.fetch(FILE, target).read_bytes() == CONTENT
    assert [p.name for p in target.parent.iterdir()] == ["weights"]
    before = len(pod.asked)
    port.fetch(FILE, target)
    assert len(pod.asked) == before


def test_a_file_goes_on_from_the_byte_it_reached(pod, port, tmp_path):
    (tmp_path / ".weights.part").write_bytes(CONTENT[:3_000_000])
    port.fetch(FILE, tmp_path / "weights")
    assert sum(pod.pieces) == len(CONTENT) - 3_000_000


def test_a_part_that_is_longer_begins_anew(pod, port, tmp_path):
    (tmp_path / ".weights.part").write_bytes(CONTENT + b"x")
    assert port.fetch(FILE, tmp_path / "weights").read_bytes() == CONTENT


def test_other_bytes_are_refused_and_dropped(pod, port, tmp_path):
    pod.content = CONTENT[:-1] + b"x"
    with pytest.raises(ArtifactError) as caught:
        port.fetch(FILE, tmp_path / "weights")
    assert caught.value.code == "integrity_mismatch"
    assert list(tmp_path.iterdir()) == []


def test_more_bytes_than_asked_for_are_refused(pod, port, tmp_path):
    pod.files = lambda _: (206, CONTENT, {})
    with pytest.raises(ArtifactError, match="more of"):
        port.fetch(FILE, tmp_path / "weights")


def test_fetching_ends_when_its_time_is_over(pod, port, tmp_path):
    pod.bytes_per_s = 100_000.0
    assert not port.fetch_files(tmp_path, [FILE], within_s=20)
    assert port.fetch_files(tmp_path, [FILE], within_s=1000)
    assert (tmp_path / "weights").read_bytes() == CONTENT


def test_an_empty_file(pod, port, tmp_path):
    empty = RemoteFile(name="none", bytes=0, sha256=sha256(b"").hexdigest())
    assert port.fetch_files(tmp_path, [empty])
    assert (tmp_path / "none").read_bytes() == b""


def test_a_name_that_leads_elsewhere_is_refused(port, tmp_path):
    with pytest.raises(ArtifactError):
        port.fetch_files(tmp_path / "in", [FILE.model_copy(update={"name": "../out"})])


def test_tails_and_lists(port):
    tail = port.events(5)
    assert tail == (CONTENT[5:15], len(CONTENT))
    assert [f.name for f in port.files()] == ["a b"]
    assert [c.step for c in port.checkpoints()] == [3]


def test_an_answer_that_is_none(port):
    with pytest.raises(ProviderError) as caught:
        port.status()
    assert caught.value.code == "pod_answer"
