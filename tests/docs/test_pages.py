"""Documentation that cannot lie: pages that run, pages that are generated, a map that is checked."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from podtune.core.spec import Method
from podtune.data import reader
from podtune.data.record import ReadOptions
from podtune.testing.dev import laptop_cloud
from podtune.testing.options import CloudOptions
from podtune.testing.server import CloudServer
from support.home import Home

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_reference_pages_are_what_the_code_says(root):
    done = subprocess.run(
        [sys.executable, "tools/generate_docs.py", "--check"],
        capture_output=True, text=True, cwd=root, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


@pytest.mark.timeout(300)
def test_the_python_how_to_runs_from_top_to_bottom(root, tiny, tmp_path):
    page = (root / "docs/how-to/python-client.md").read_text(encoding="utf-8")
    code = "\n".join(body for language, body in FENCE.findall(page) if language == "python")
    assert code.count("client.") > 8
    home = Home(tmp_path / "home", tmp_path)
    head = (
        "from pathlib import Path\n"
        f"HOME, MODEL = Path({str(home.path)!r}), {str(tiny)!r}\n"
        f"DATA = {str(root / 'examples' / 'support.jsonl')!r}\n"
    )
    quick = CloudOptions(provisioning_s=0.2, pull_s=0.3)
    with CloudServer(laptop_cloud(tmp_path / "cloud", quick)) as server:
        limits = {"PODTUNE_PROOF_WINDOW_S": "1", "PODTUNE_SETTLE_S": "2"}
        try:
            done = subprocess.run(
                [sys.executable, "-c", head + code], cwd=tmp_path,
                env={**home.environment, **server.environment(), **limits},
                capture_output=True, text=True, timeout=280, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr + home.driver_log()
            assert "the signature fits" in done.stdout
            assert "answered 404" in done.stdout
            assert server.cloud.account.live_pods() == []
        finally:
            home.end_everything()


def test_every_command_of_the_readme_exists(root):
    text = (root / "README.md").read_text(encoding="utf-8")
    help_page = (root / "docs/reference/cli.md").read_text(encoding="utf-8")
    commands = set(
        re.findall(r"^podtune (\w+)", "\n".join(b for _, b in FENCE.findall(text)), re.M)
    )
    assert commands
    assert [c for c in sorted(commands) if f"## podtune {c}\n" not in help_page] == []
    targets = set(re.findall(r"`make (\w+)`", text))
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    assert [t for t in targets if not re.search(rf"^{t}:", makefile, re.M)] == []


def test_links_between_pages_lead_somewhere(root):
    broken = []
    for page in [*root.glob("*.md"), *(root / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not (page.parent / target).exists() and not (root / target).exists():
                broken.append(f"{page.relative_to(root)}: {target}")
    assert broken == []


class Row:
    """One demand in docs/specification.md."""

    def __init__(self, cells):
        self.id, self.demand, self.kept, self.module, self.test, self.state = cells


@pytest.fixture(scope="module")
def specification(root):
    return (root / "docs/specification.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def demands(specification):
    rows = []
    for line in specification.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if re.fullmatch(r"[AB]-\d+", cells[0]):
            assert len(cells) == 6, line
            rows.append(Row(cells))
    return rows


def test_every_demand_is_named_once_and_in_order(demands):
    for document, least in (("A", 100), ("B", 150)):
        numbers = [int(r.id[2:]) for r in demands if r.id.startswith(document)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) >= least


def test_what_is_built_names_a_test_that_is_there(demands, root):
    wrong = []
    for row in demands:
        tests = re.findall(r"`([^`]+)`", row.test)
        if row.state == "built" or row.state.startswith("part: "):
            if not tests or not all((root / test.split("::")[0]).is_file() for test in tests):
                wrong.append(row.id)
        elif not re.fullmatch(r"not yet \(issue \d+\)", row.state) or row.test != "-":
            wrong.append(row.id)
    assert wrong == []


def test_what_is_built_names_a_module_that_is_there(demands, root):
    wrong = [
        f"{row.id} {module}"
        for row in demands
        if row.state == "built"
        for module in re.findall(r"`((?:src|runpod-worker|tests|docs|examples)[^`]*)`", row.module)
        if not (root / module).exists()
    ]
    assert wrong == []


def test_every_deviation_is_explained_and_used(specification):
    explained = re.findall(r"^\| (D-\d+) \|", specification, re.MULTILINE)
    used = set(re.findall(r"deviation (D-\d+)", specification))
    assert len(explained) == len(set(explained))
    assert used == set(explained)


def test_the_tree_names_no_machine(root):
    """No path of a machine and no host of a package registry in what is tracked."""
    listed = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, cwd=root, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    hosts = ["pypi" + ".org", "pythonhosted" + ".org", "registry.npmjs" + ".org", "debian" + ".org"]
    found = []
    for name in listed.stdout.splitlines():
        path = Path(root / name)
        if path.suffix in {".png", ".svg"} or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{name}: {h}" for h in [*hosts, "/work" + "/", "/root" + "/"] if h in text]
    assert found == []


METHODS = {"sft": ["sft"], "dpo, orpo": ["dpo", "orpo"], "kto": ["kto"], "cpt": ["cpt"]}


def test_the_rows_of_the_page_on_methods_are_fit_for_them(root, tmp_path):
    page = (root / "docs/how-to/methods.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## ([a-z, ]+): .*?\n(.*?)(?=^## |\Z)", page, re.M | re.S))
    assert set(sections) == set(METHODS)
    for heading, text in sections.items():
        (rows,) = [body for language, body in FENCE.findall(text) if language == "json"]
        path = tmp_path / "rows.jsonl"
        path.write_text(rows, encoding="utf-8")
        for method in METHODS[heading]:
            report = reader.inspect(path, ReadOptions(method=Method(method))).report
            assert (method, report.good_rows) == (method, len(rows.splitlines()))
            assert report.errors() == []


def test_the_commands_of_the_page_on_methods_run(root, tiny, tmp_path):
    page = (root / "docs/how-to/methods.md").read_text(encoding="utf-8")
    said = "".join(body for language, body in FENCE.findall(page) if language == "console")
    commands = [line.split() for line in said.splitlines()]
    assert len(commands) == 3
    home = Home(tmp_path / "home", tmp_path)
    for _, *words in commands:
        done = subprocess.run(
            [sys.executable, "-m", "podtune", *words, "--model", str(tiny)], env=home.environment,
            cwd=root, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
