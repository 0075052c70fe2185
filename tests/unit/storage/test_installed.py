import subprocess
import sys
import zipfile

import pytest

import podtune
from podtune.core.errors import StateError
from podtune.storage import installed


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return installed.write_wheel(tmp_path_factory.mktemp("wheel") / installed.wheel_name())


def test_the_wheel_holds_podtune_the_worker_and_the_locks(wheel, root):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert "podtune/core/plan.py" in names
    for folder in ("", "pod/"):
        files = (root / "runpod-worker" / folder).glob("*.py")
        assert {f"podtune/worker/{folder}{p.name}" for p in files} <= names
    assert {"podtune/locks/pod.lock", "podtune/locks/base-model.lock"} <= names
    assert not [n for n in names if "__pycache__" in n or n.startswith("tests")]


def test_the_same_installation_gives_the_same_bytes(wheel, tmp_path):
    again = installed.write_wheel(tmp_path / "again.whl")
    assert again.read_bytes() == wheel.read_bytes()


def test_an_installed_podtune_makes_the_same_wheel(wheel, tmp_path):
    """Without a checkout: the wheel's own content, unpacked where pip would put it."""
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            (site / name).parent.mkdir(parents=True, exist_ok=True)
            (site / name).write_bytes(archive.read(name))
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from podtune.storage import installed\n"
        "assert str(installed.worker_folder()).startswith(sys.argv[1])\n"
        "installed.write_wheel(Path(sys.argv[2]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(site), str(tmp_path / "made.whl")],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "made.whl").read_bytes() == wheel.read_bytes()


def test_its_name_carries_the_version():
    assert installed.wheel_name() == f"podtune-{podtune.__version__}-py3-none-any.whl"


def test_the_locks_name_no_index_and_no_torch():
    text = installed.lock_file(installed.POD_LOCK).read_text(encoding="utf-8")
    assert "://" not in text
    names = {line.split("==")[0] for line in text.splitlines() if "==" in line}
    assert {"transformers", "peft", "bitsandbytes", "pydantic", "isal"} <= names
    assert not {"torch", "hatchling", "setuptools", "pip"} & names
    pinned = [line for line in text.splitlines() if line and line[0].isalpha()]
    assert all("==" in line for line in pinned)
    assert text.count("--hash=sha256:") >= len(pinned)


def test_the_pods_versions_are_the_trainings(root):
    def versions(path):
        lines = path.read_text(encoding="utf-8").splitlines()
        return dict(line.split(" ")[0].split("==") for line in lines if line[:1].isalpha())

    pod = versions(root / "requirements" / "pod.lock")
    train = versions(root / "requirements" / "train.lock")
    assert {n: v for n, v in pod.items() if train.get(n) != v} == {}


def test_a_missing_lock_is_told():
    with pytest.raises(StateError, match=r"other\.lock"):
        installed.lock_file("other.lock")
