"""The installation's name and key: made once, whoever comes first, and kept."""

import base64
import stat
import subprocess
import sys
import threading

import pytest

from podtune.app import installation
from podtune.core.errors import ArtifactError, StateError


@pytest.fixture
def home(tmp_path):
    return tmp_path / "deep" / "home"


def test_the_owner_is_stable_and_readable(home):
    name = installation.owner(home)
    assert installation.owner(home) == name
    assert len(name) == 8
    assert not set(name) & set("0O1lio")


def test_two_homes_have_different_owners(tmp_path):
    assert installation.owner(tmp_path / "a") != installation.owner(tmp_path / "b")


def test_the_key_is_stable_and_only_for_this_user(home):
    key = installation.signing_key(home)
    assert installation.signing_key(home) == key
    mode = stat.S_IMODE((home / installation.KEY_FILE).stat().st_mode)
    assert mode == 0o600
    assert len(base64.b64decode(key.public_base64)) == 32


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33])
def test_a_file_that_is_no_key_is_refused_and_kept(home, content):
    home.mkdir(parents=True)
    (home / installation.KEY_FILE).write_bytes(content)
    with pytest.raises(StateError, match="no signing key"):
        installation.signing_key(home)
    assert (home / installation.KEY_FILE).read_bytes() == content


def test_threads_at_once_agree(home):
    found: list[object] = []
    barrier = threading.Barrier(8)

    def look() -> None:
        barrier.wait()
        found.append((installation.owner(home), installation.signing_key(home)))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    names = {installation.OWNER_FILE, installation.KEY_FILE}
    assert {p.name for p in home.iterdir()} == names


def test_processes_at_once_agree(home):
    program = (
        "import sys; from pathlib import Path; from podtune.app import installation as i;"
        "sys.stdin.read(1); print(i.owner(Path(sys.argv[1])),"
        " i.signing_key(Path(sys.argv[1])).public_base64)"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    said = {child.communicate(b"x", timeout=60)[0] for child in children}
    assert len(said) == 1
    assert b" " in said.pop()


def test_a_signature_fits(home):
    key = installation.signing_key(home)
    installation.check_signature(key.public_base64, b"message", key.sign(b"message"))


def flipped(text):
    raw = bytearray(base64.b64decode(text))
    raw[3] ^= 1
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize("changed", ["key", "message", "signature", "no base64", "short", "empty"])
def test_any_change_breaks_the_signature(home, changed):
    key = installation.signing_key(home)
    public, message, signature = key.public_base64, b"message", key.sign(b"message")
    given = {
        "key": (flipped(public), message, signature),
        "message": (public, b"messagf", signature),
        "signature": (public, message, flipped(signature)),
        "no base64": (public, message, "!!" + signature),
        "short": (public[:20], message, signature),
        "empty": (public, message, ""),
    }[changed]
    with pytest.raises(ArtifactError) as caught:
        installation.check_signature(*given)
    assert caught.value.code == "bad_signature"


def test_a_derived_secret_is_the_same_each_time_and_tells_nothing_of_the_key(home):
    key = installation.signing_key(home)
    assert key.derive("a") == key.derive("a") != key.derive("b")
    assert len(bytes.fromhex(key.derive("a"))) == 32
    assert key.private.hex() not in key.derive("a")


def test_looking_for_a_name_makes_none(tmp_path):
    home = tmp_path / "home"
    assert installation.known_owner(home) is None
    assert not home.exists()
    made = installation.owner(home)
    assert installation.known_owner(home) == made
