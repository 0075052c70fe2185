"""Unit tests mirror the source, file by file."""

import pytest

NOT_MIRRORED = {"__init__.py", "__main__.py"}


def modules(root):
    package = root / "src" / "podtune"
    for path in sorted(package.rglob("*.py")):
        relative = path.relative_to(package)
        if path.name in NOT_MIRRORED or "migrations" in relative.parts:
            continue  # migrations: tests/unit/workflow/test_tables.py compares their result
        yield relative


def test_every_module_has_its_test(root):
    missing = [
        str(relative)
        for relative in modules(root)
        if not (root / "tests" / "unit" / relative.parent / f"test_{relative.name}").is_file()
    ]
    assert missing == []


def test_every_unit_test_has_its_module(root):
    package = root / "src" / "podtune"
    orphans = [
        str(path.relative_to(root))
        for path in (root / "tests" / "unit").rglob("test_*.py")
        if not (
            package
            / path.relative_to(root / "tests" / "unit").parent
            / path.name.removeprefix("test_")
        ).is_file()
    ]
    assert orphans == []


@pytest.mark.parametrize("program", ["train_lora", "prove", "chat_dataset", "progress", "failures",
    "checkpoints", "packed_trainer", "base_model", "generation", "artifact_writer",
    "guarded_steps", "guarded_training", "memory_ladder", "random_state", "restarts", "shutdown",
    "stall_watch", "training_callbacks"])  # fmt: skip
def test_every_worker_file_has_its_test(program, root):
    assert (root / "tests" / "worker" / f"test_{program}.py").is_file()
