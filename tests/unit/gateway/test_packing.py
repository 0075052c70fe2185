"""An artifact as one archive."""

import os
import shutil

import pytest

from podtune.app.preparing import PACKED
from podtune.gateway import packing
from support import homes
from support.waiting import until


@pytest.mark.parametrize("path", ["/training/artifact/{}", "/jobs/{}/adapter.tar.gz"])
def test_it_is_packed_where_leftovers_are_swept_and_is_gone_then(gateway, client, job, path):
    homes.finish(gateway.settings, job)
    seen = []
    pack = packing.archive.pack

    def watched(source, target):
        seen.append(target.parent)
        return pack(source, target)

    packing.archive.pack = watched
    try:
        assert client.get(path.format(job.id)).content[:2] == b"\x1f\x8b"
    finally:
        packing.archive.pack = pack
    assert seen[0].name.startswith(PACKED)
    assert seen[0].parent == gateway.settings.home / "downloads"
    until(lambda: not seen[0].exists(), "the archive is removed")


def test_a_full_disk_is_said_before_it_is_filled(gateway, client, job, monkeypatch):
    homes.finish(gateway.settings, job)
    full = shutil.disk_usage(gateway.settings.home)._replace(free=1000)
    monkeypatch.setattr(packing.shutil, "disk_usage", lambda _: full)
    answer = client.get(f"/training/artifact/{job.id}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "disk_full")
    assert not list((gateway.settings.home / "downloads").iterdir())


def test_what_a_crash_left_is_swept_when_it_is_old(gateway):
    left = gateway.settings.home / "downloads" / f"{PACKED}of-a-crash"
    left.mkdir(parents=True)
    sweep = gateway.app.state.parts.submissions.preparing.sweep
    sweep()
    assert left.exists()
    os.utime(left, (0, 0))
    sweep()
    assert not left.exists()
