"""What goes to the builder: a list of what belongs there, so that nothing else can."""

import shutil

import pytest

from podtune.app import image_context
from podtune.core.errors import StateError
from podtune.storage import installed

SECRETS = (
    ".env", ".env.local", "id_rsa", "service.key", "tls.pem", "rows.jsonl", "notes.csv", "model.safetensors",
    "podtune.db", ".git/config", ".aws/credentials", "__pycache__/handler.cpython-311.pyc",
)  # fmt: skip


def names(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_it_is_the_same_each_time(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir(), second.mkdir()
    one, two = image_context.write(first), image_context.write(second)
    assert one.sha256 == two.sha256
    assert one.files == len(names(first))
    assert one.size == sum(p.stat().st_size for p in first.rglob("*") if p.is_file())
    assert one.size < 20_000_000


def test_what_the_dockerfile_copies_is_there(tmp_path):
    image_context.write(tmp_path)
    assert names(tmp_path) >= {
        "Dockerfile", "requirements/serverless.lock", "requirements/serverless-gpu.lock",
        "runpod-worker/train_lora.py", "runpod-worker/requirements.txt", "src/podtune/py.typed",
        "src/podtune/storage/installed.py",
    }  # fmt: skip


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A checkout of its own, with everything beside the source that must never leave."""
    root = tmp_path / "checkout"
    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(installed.package_folder(), root / "src/podtune", ignore=leave)
    shutil.copytree(installed.worker_folder(), root / "runpod-worker", ignore=leave)
    (root / "requirements").mkdir()
    for lock in installed.IMAGE_LOCKS:
        shutil.copy(installed.lock_file(lock), root / "requirements")
    monkeypatch.setattr("podtune.__file__", str(root / "src/podtune/__init__.py"))
    return root


def test_no_secret_and_no_data_is_copied(copied, tmp_path):
    clean, planted = tmp_path / "clean", tmp_path / "planted"
    clean.mkdir(), planted.mkdir()
    before = image_context.write(clean)
    for place in (
        copied,
        copied / "runpod-worker",
        copied / "src/podtune",
        copied / "src/podtune/app",
    ):
        for name in SECRETS:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text("planted-secret-77", encoding="utf-8")
    (tmp_path / "elsewhere.py").write_text("planted-secret-77", encoding="utf-8")
    (copied / "runpod-worker/linked.py").symlink_to(tmp_path / "elsewhere.py")
    after = image_context.write(planted)
    assert after.sha256 == before.sha256
    assert names(planted) == names(clean)
    assert b"planted-secret-77" not in b"".join(
        p.read_bytes() for p in planted.rglob("*") if p.is_file()
    )


def test_an_installed_podtune_gives_the_same(copied, tmp_path, monkeypatch):
    from_checkout, from_package = tmp_path / "a", tmp_path / "b"
    from_checkout.mkdir(), from_package.mkdir()
    one = image_context.write(from_checkout)
    package = tmp_path / "site-packages" / "podtune"
    shutil.copytree(copied / "src/podtune", package)
    shutil.copytree(copied / "runpod-worker", package / installed.WORKER)
    shutil.copytree(copied / "requirements", package / installed.LOCKS)
    monkeypatch.setattr("podtune.__file__", str(package / "__init__.py"))
    assert image_context.write(from_package).sha256 == one.sha256


def test_a_missing_dockerfile_is_told(copied, tmp_path):
    (copied / "runpod-worker/Dockerfile").unlink()
    (tmp_path / "context").mkdir()
    with pytest.raises(StateError, match="Dockerfile is missing"):
        image_context.write(tmp_path / "context")


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "context").write_text("a file", encoding="utf-8")
    with pytest.raises(StateError, match="cannot be written"):
        image_context.write(tmp_path / "context")
