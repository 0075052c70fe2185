import pytest

import orders as order_book
import shell_access
from podtune.core.handover import pod_environment

KEY = "ssh-ed25519 AAAA owner"


@pytest.fixture
def image(tmp_path):
    """An image with a `service` that notes how it is called."""
    program = tmp_path / "bin" / "service"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/called\nenv > {tmp_path}/env\n')
    program.chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    return {"PATH": f"{program.parent}:/usr/bin:/bin", "HOME": str(home), "PUBLIC_KEY": KEY,
            "RUNPOD_API_KEY": "secret"}  # fmt: skip


def orders(keep_s):
    figures = {"DEADLINE": 2e9, "STARTED": 1.9e9, "KEEP_ON_FAILURE_S": keep_s}
    return order_book.read(pod_environment(job="demo", attempt=1, token="t", figures=figures))


def test_the_owners_keys_open_a_machine_that_is_kept(image, tmp_path):
    for _ in range(2):
        assert shell_access.allow(orders(600), image)
    keys = tmp_path / "home" / ".ssh" / "authorized_keys"
    assert keys.read_text() == f"{KEY}\n"
    assert keys.stat().st_mode & 0o077 == 0
    assert (tmp_path / "called").read_text() == "ssh start\n" * 2
    assert "secret" not in (tmp_path / "env").read_text()


@pytest.mark.parametrize(("keep_s", "key"), [(0, KEY), (600, ""), (600, "  ")])
def test_no_shell_unless_it_is_wanted(image, tmp_path, keep_s, key):
    assert not shell_access.allow(orders(keep_s), {**image, "PUBLIC_KEY": key})
    assert not (tmp_path / "called").exists()
    assert not (tmp_path / "home" / ".ssh").exists()


def test_an_image_without_sshd_is_told(image, tmp_path, capsys):
    (tmp_path / "bin" / "service").write_text("#!/bin/sh\nexit 1\n")
    assert not shell_access.allow(orders(600), {**image, "PATH": str(tmp_path / "bin")})
    assert "no shell" in capsys.readouterr().out


def test_a_home_that_cannot_be_written_stops_nothing(image, capsys):
    assert not shell_access.allow(orders(600), {**image, "HOME": "/no/such/home"})
    assert "no shell" in capsys.readouterr().out
