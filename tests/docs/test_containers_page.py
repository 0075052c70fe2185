"""docs/how-to/containers.md, the compose file and what belongs to them: linted, compared, and run as far as it goes.

No Docker engine is here: a program in its place takes the page's commands. The image itself is built in
`tests/contract/test_gateway_image.py`.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from podtune.gateway import operations
from support.image_programs import place

FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs/how-to/containers.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def compose(root):
    return yaml.safe_load((root / "docker/compose.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def dockerfile(root):
    return (root / "docker/gateway/Dockerfile").read_text(encoding="utf-8")


def beside(name):
    program = shutil.which(name, path=str(Path(sys.executable).parent))
    assert program, "`make setup` installs it"
    return program


def run(*words, **more):
    return subprocess.run(
        words, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL, **more
    )  # fmt: skip


@pytest.fixture
def checkout(root, tmp_path):
    """What of a checkout the page's commands touch."""
    shutil.copytree(root / "docker", tmp_path / "docker", ignore=shutil.ignore_patterns("secrets"))
    return tmp_path


def test_the_page_s_commands_run(page, checkout):
    (checkout / "programs").mkdir()
    calls = place(checkout / "programs", "docker", {"": (0, "ok")})
    blocks = "".join(body for language, body in FENCE.findall(page) if language == "bash")
    done = run(
        "bash", "-euc", blocks, cwd=checkout,
        env={"PATH": f"{checkout}/programs:/usr/bin:/bin", "HOME": str(checkout)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = [json.loads(line)[1:] for line in calls.read_text(encoding="utf-8").splitlines()]
    verbs = [words[3] for words in said if words[0] == "compose"]
    assert verbs == ["build", "run", "up", "up", "exec"]
    assert all(words[2] == "docker/compose.yaml" for words in said if words[0] == "compose")
    assert (checkout / "docker/secrets/runpod_api_key").read_text() == "rpa_..."


def test_the_linters_find_nothing(root):
    docker = root / "docker"
    linted = run(beside("hadolint"), "--no-color", docker / "gateway/Dockerfile")
    assert (linted.returncode, linted.stdout) == (0, "")
    shells = run(beside("shellcheck"), docker / "gateway/podtune", docker / "make-secrets.sh")
    assert (shells.returncode, shells.stdout) == (0, "")


def test_secrets_are_made_once_and_for_you_alone(checkout):
    script = checkout / "docker/make-secrets.sh"
    environment = {"PATH": "/usr/bin:/bin"}
    first = run(script, env=environment)
    assert first.returncode == 0, first.stderr
    assert "put your RunPod key" in first.stdout
    folder = checkout / "docker/secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / ".gitignore").read_text() == "*\n"
    password = (folder / "database_password").read_text()
    assert re.fullmatch(r"[0-9a-f]{48}", password)
    url = (folder / "database_url").read_text()
    assert url == f"postgresql://podtune:{password}@database:5432/podtune?sslmode=disable"
    second = run(script, env=environment | {"RUNPOD_API_KEY": "rpa_planted"})
    assert (folder / "database_password").read_text() == password
    assert (folder / "runpod_api_key").read_text() == "rpa_planted"
    assert "rpa_planted" not in second.stdout + second.stderr


def test_every_secret_of_the_compose_file_is_made_and_used(compose, checkout):
    run(checkout / "docker/make-secrets.sh", env={"PATH": "/usr/bin:/bin"})
    made = {path.name for path in (checkout / "docker/secrets").iterdir()} - {".gitignore"}
    assert set(compose["secrets"]) == made
    assert {one["file"] for one in compose["secrets"].values()} == {f"./secrets/{n}" for n in made}
    used = {name for service in compose["services"].values() for name in service["secrets"]}
    assert used == made
    for service in compose["services"].values():
        files = {n: v for n, v in service["environment"].items() if n.endswith("_FILE")}
        assert {Path(v).name for v in files.values()} == set(service["secrets"])


def test_no_secret_stands_in_the_compose_file(compose):
    for service in compose["services"].values():
        for name in service["environment"]:
            secret = re.search(r"KEY|TOKEN|PASSWORD|SECRET|DATABASE_URL", name)
            assert not secret or name.endswith("_FILE"), name


def test_services_come_back_and_are_looked_at(compose, dockerfile):
    assert set(compose["services"]) == {"database", "gateway"}
    for name, service in compose["services"].items():
        assert service["restart"] == "unless-stopped"
        assert "no-new-privileges:true" in service["security_opt"]
        assert name == "gateway" or service["healthcheck"]["test"]
        assert not service["image"].endswith(":latest")
        assert {volume.split(":")[0] for volume in service["volumes"]} <= set(compose["volumes"])
        assert set(service["networks"]) <= set(compose["networks"])
    gateway, database = compose["services"]["gateway"], compose["services"]["database"]
    assert gateway["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert all(port.startswith("127.0.0.1:") for port in gateway["ports"])
    assert "ports" not in database
    assert compose["networks"]["inside"] == {"internal": True}
    assert (gateway["read_only"], gateway["cap_drop"], gateway["init"]) == (True, ["ALL"], True)
    (home,) = gateway["volumes"]
    assert f"PODTUNE_HOME={home.split(':')[1]}" in dockerfile
    assert "HEALTHCHECK" in dockerfile
    build = gateway["build"]
    assert build == {"context": "..", "dockerfile": "docker/gateway/Dockerfile"}


def test_the_image_reads_the_secrets_that_the_page_names(page, root, tmp_path):
    program = (root / "docker/gateway/podtune").read_text(encoding="utf-8")
    loop = program[program.index("for name in") : program.index("; do")]
    known = set(re.findall(r"[A-Z][A-Z_]+", loop))
    (told,) = re.findall(r"every `NAME_FILE` of these into `NAME`: (.*?)\. So", page)
    assert set(re.findall(r"`(\w+)`", told)) == known
    (tmp_path / "python").write_text('#!/bin/sh\necho "$RUNPOD_API_KEY" "$@"\n', encoding="utf-8")
    (tmp_path / "python").chmod(0o755)
    (tmp_path / "key").write_text("rpa_$(id) with spaces\n", encoding="utf-8")
    given = {"PATH": f"{tmp_path}:/usr/bin:/bin", "RUNPOD_API_KEY_FILE": str(tmp_path / "key")}
    done = run(root / "docker/gateway/podtune", "jobs", env=given)
    assert done.stdout == "rpa_$(id) with spaces -m podtune jobs\n"
    missing = run(root / "docker/gateway/podtune", env=given | {"HF_TOKEN_FILE": "/nowhere"})
    assert missing.returncode == 3
    assert "HF_TOKEN_FILE names /nowhere" in missing.stderr


def test_the_dockerfile_installs_by_hash_and_runs_without_rights(dockerfile):
    assert "--require-hashes" in dockerfile
    assert "--no-deps" in dockerfile
    assert "hadolint ignore" not in dockerfile
    assert re.findall(r"^USER (.*)$", dockerfile, re.MULTILINE) == ["10001:10001"]
    assert dockerfile.rindex("pip install") < dockerfile.index("COPY src/podtune")
    named = re.findall(r"^(?:ARG|ENV)\s+(\w+)|^\s+(\w+)=", dockerfile, re.MULTILINE)
    names = {first or second for first, second in named}
    assert not [n for n in names if re.search(r"TOKEN|KEY|SECRET|PASSW|CREDENTIAL", n)]
    assert dockerfile.splitlines()[-1].startswith('CMD ["podtune", "serve", "--host", "0.0.0.0"')


def test_what_goes_to_the_builder_is_what_is_copied(root, dockerfile):
    lines = (root / "docker/gateway/Dockerfile.dockerignore").read_text(encoding="utf-8")
    rules = [line for line in lines.splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = [line.split()[1:-1] for line in dockerfile.splitlines() if line.startswith("COPY ")]
    names = {name for words in copied for name in words}
    assert names == {
        "requirements/gateway.lock", "requirements", "src/podtune", "runpod-worker",
        "docker/gateway/podtune", "docker/gateway/healthy.py",
    }  # fmt: skip
    assert allowed == (names - {"requirements", "requirements/gateway.lock"}) | {
        "requirements/*.lock"
    }
    assert all((root / name).exists() for name in names)


def test_the_lock_is_what_the_tests_ran_with(root):
    def pins(name):
        text = (root / "requirements" / name).read_text(encoding="utf-8")
        return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^ ;]+)", text, re.MULTILINE)), text

    (ours, text), (tested, _) = pins("gateway.lock"), pins("dev.lock")
    assert len(ours) > 50
    assert {name: tested.get(name) for name in ours} == ours
    assert {"fastapi", "uvicorn", "psycopg", "psycopg-binary", "structlog"} <= set(ours)
    assert "torch" not in ours
    assert "//" not in text
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_figures_are_those_of_the_program(page, compose):
    environment = compose["services"]["gateway"]["environment"]
    defaults = {
        name: value
        for text in (*environment.values(), *compose["services"]["gateway"]["ports"])
        for name, value in re.findall(r"\$\{(\w+):-([^}]*)\}", text)
    }
    told = dict(re.findall(r"^\| `(PODTUNE_\w+)` \| (\S+) \|", page, re.MULTILINE))
    assert told == {name: value or "none" for name, value in defaults.items()}
    assert operations.LEAST_DISK_BYTES == 1 << 30
    assert "a GiB of disk" in page


def test_a_user_without_rights_can_read_the_mounted_files(checkout):
    """Compose mounts a file with its own mode: another user than its owner has to be able to read it."""
    run(checkout / "docker/make-secrets.sh", env={"PATH": "/usr/bin:/bin"})
    for path in (checkout / "docker/secrets").iterdir():
        assert path.name == ".gitignore" or path.stat().st_mode & 0o004
