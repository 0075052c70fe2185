"""Unit tests mirror the source, file by file."""

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


TOLD_ELSEWHERE = {
    "gguf_conversion": "tests/worker/test_base_model.py",
}
"""Worker files whose test is another's."""


def test_every_worker_file_has_its_test(root):
    missing = [
        path.name
        for path in sorted((root / "runpod-worker").glob("*.py"))
        if not (root / "tests" / "worker" / f"test_{path.stem}.py").is_file()
        and path.stem not in TOLD_ELSEWHERE
    ]
    assert missing == []
    assert all((root / test).is_file() for test in TOLD_ELSEWHERE.values())


def test_every_file_of_the_pod_has_its_test(root):
    missing = [
        path.name
        for path in sorted((root / "runpod-worker" / "pod").glob("*.py"))
        if not (root / "tests" / "worker" / "pod" / f"test_{path.stem}.py").is_file()
    ]
    assert missing == []
